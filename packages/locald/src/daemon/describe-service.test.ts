import type { LogLine } from '@locald/protocol'
import { expect, test } from 'vitest'
import type { CheckRecord } from '../health/monitor.ts'
import { configOf, planOf } from '../plan/testing/config-of.ts'
import { newInstance } from '../supervisor/instance.ts'
import type { Instance, InstanceState } from '../supervisor/instance.ts'
import { snapshotOf } from '../supervisor/snapshot.ts'
import { descriptionOf } from './describe-service.ts'
import type { WhyFacts } from './why-cause.ts'

const plan = planOf(configOf({ web: { listening: 'must', dependsOn: ['db'] }, db: {} }))
const run = { id: 'r1', number: 1, identity: null, startedAt: 1000, hash: 'h' }
const exit = { code: 1, signal: null, at: '2026-01-31T09:05:00.000Z', reason: 'exited with code 1' }

interface Known {
  readonly memory?: Partial<Instance['memory']>
  readonly lines?: readonly string[]
  readonly lastCheck?: CheckRecord
  readonly unmet?: Parameters<typeof snapshotOf>[3]
}

function factsOf(
  name: string,
  state: InstanceState,
  { memory = {}, lines = [], lastCheck, unmet }: Known = {},
): WhyFacts {
  const service = plan.services.find((one) => one.name === name)
  const planned = service?.instances[0]
  if (service === undefined || planned === undefined) throw new Error(`No service ${name}`)
  const instance = { state, memory: { ...newInstance.memory, startedAt: 1000, ...memory } }
  return {
    label: name,
    service,
    snapshot: snapshotOf(service, planned, instance, unmet),
    instance,
    ports: [],
    lastCheck: lastCheck ?? null,
    lines: lines.map((text): LogLine => ({ at: exit.at, service: name, stream: 'pty', run: 1, text })),
  }
}

const describeAlone = (facts: WhyFacts): ReturnType<typeof descriptionOf> =>
  descriptionOf(
    {
      asked: facts,
      root: facts,
      chain: [{ label: facts.label, snapshot: facts.snapshot }],
      snapshots: [facts.snapshot],
      instances: facts.instance === null ? [] : [facts.instance],
      rival: null,
    },
    'shop',
  )

test('of what has failed: its exit, the line that tells why, and what to type', () => {
  const lines = ["\u001b[31mError: Cannot find module 'express'\u001b[39m", 'Node.js v20.20.2']
  const described = describeAlone(
    factsOf('web', { id: 'failed', reason: 'exited with code 1' }, { memory: { exit }, lines }),
  )
  expect(described).toMatchObject({
    service: 'web',
    project: 'shop',
    state: 'failed',
    exit: { code: 1 },
    evidence: "Error: Cannot find module 'express'",
    linesOf: 'web',
    lines: [{ at: exit.at, text: lines[0] }, { text: lines[1] }],
    port: plan.services.find(({ name }) => name === 'web')?.instances[0]?.port,
    foundPorts: [],
  })
  expect(described.steps).toEqual([
    { text: 'Install its packages (in /home/me/shop)', command: 'npm install' },
    { text: 'See all it wrote', command: 'locald logs web' },
    { text: 'Then start it again', command: 'locald up web' },
  ])
})

test('of what listens elsewhere: where', () => {
  const starting: InstanceState = { id: 'starting', run, deadline: 1, hopelessAt: null, overdue: true }
  const message = 'Listens on port 5173, not on port 21233 that it was given'
  const lastCheck: CheckRecord = { at: 2000, ok: false, message, output: null }
  const described = describeAlone(factsOf('web', starting, { lastCheck }))
  expect(described).toMatchObject({ state: 'starting', health: 'unhealthy', foundPorts: [5173] })
  expect(described.steps[0]).toEqual({
    text: 'Set port = 5173 (locald.toml:10), or let its command listen on $PORT, such as --port $PORT',
    command: null,
  })
})

test('of what waits: the chain, since when, and the lines of what it waits for', () => {
  const db = factsOf(
    'db',
    { id: 'starting', run, deadline: null, hopelessAt: null, overdue: false },
    { lines: ['redo'] },
  )
  const unmet = { service: 'db', condition: 'healthy', reason: 'starting' } as const
  const web = factsOf(
    'web',
    { id: 'waiting', since: 5000 },
    { unmet: { unmet: [unmet], outdated: [], publicUrl: null } },
  )
  const chain = [web, db].map(({ label, snapshot }) => ({ label, snapshot }))
  const subject = { asked: web, root: db, chain, snapshots: [web.snapshot], instances: [], rival: null }
  expect(descriptionOf(subject, 'shop')).toMatchObject({
    state: 'waiting',
    since: new Date(5000).toISOString(),
    chain: [
      { service: 'web', state: 'waiting', reason: 'waits for db to be healthy (starting)' },
      { service: 'db', state: 'starting' },
    ],
    linesOf: 'db',
    lines: [{ text: 'redo' }],
  })
})
