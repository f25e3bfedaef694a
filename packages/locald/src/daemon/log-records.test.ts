import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LocaldEvent } from '@locald/protocol'
import type { KeeperOperations } from '../keeper/protocol.ts'
import { LogFixture } from '../logs/log-fixture.ts'
import { recordedEvents } from '../logs/recorded-events.ts'
import { SupervisorWorld } from '../supervisor/testing/supervisor-world.ts'
import { LogRecords } from './log-records.ts'

type Append = KeeperOperations['append']['params']

let fixture: LogFixture
let appended: Append[]
let world: SupervisorWorld
beforeEach(async () => {
  fixture = await LogFixture.create()
  appended = []
  world = new SupervisorWorld()
  world.now = Date.parse('2026-01-01T00:00:00.000Z')
  await world.up(world.plan({ web: {}, broken: {} }))
  await world.healthy('web')
  await world.unhealthy('web')
})
afterEach(async () => await fixture[Symbol.asyncDispose]())

/** A keeper that notes what is to be recorded, and has it written. */
function records(): LogRecords {
  const request = async (op: string, params: unknown): Promise<unknown> => {
    if (op !== 'append') throw new Error(`Asked for ${op}`)
    const { log, record } = params as Append
    appended.push(params as Append)
    const bytes = Buffer.from(JSON.stringify(record))
    fixture.writer('web').append({ kind: 'record', stream: 'none', run: log.run, at: world.now, bytes })
    await fixture.writer('web').flush()
    return {}
  }
  const keeper = { request } as never
  return new LogRecords({ state: world.supervisor.state, keeper, logBytes: () => 1_000_000 })
}

/** As a journal would have numbered them. */
const ofWeb = (): readonly LocaldEvent[] =>
  world.events
    .filter((event) => !('service' in event) || event.service === 'web')
    .map((event, index) => ({ ...event, seq: index + 1, at: new Date(world.now).toISOString() }))
const types = (): readonly unknown[] => appended.map(({ record }) => record?.['type'])
const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve))

test('health is recorded as it is told, within the limit of all logs', async () => {
  const heard = records()
  for (const event of ofWeb()) heard.hear(event)
  await turn()
  expect(types()).toEqual(['health.healthy', 'health.unhealthy'])
  expect(appended[0]?.log).toMatchObject({ run: 1, totalBytes: 1_000_000 })
})

test('what a daemon stored and did not come to record is recorded by the next one, and once', async () => {
  const events = ofWeb()
  const unhealthy = events.findIndex(({ type }) => type === 'service.unhealthy')
  const first = records()
  for (const event of events.slice(0, unhealthy)) first.hear(event)
  await turn() // Killed after it had stored that web is unhealthy.
  await records().catchUp(events, () => fixture.source('web'))
  expect(types()).toEqual(['health.healthy', 'health.unhealthy'])
  await records().catchUp(events, () => fixture.source('web'))
  expect(types(), 'by a third').toEqual(['health.healthy', 'health.unhealthy'])
  expect(await recordedEvents(fixture.source('web'), 0)).toEqual([
    { type: 'health.healthy', run: 1, event: events.find(({ type }) => type === 'service.healthy')?.seq },
    { type: 'health.unhealthy', run: 1, event: events[unhealthy]?.seq },
  ])
})

test('nothing is recorded twice after a daemon that did not number its records', async () => {
  for (const type of ['health.healthy', 'health.unhealthy']) {
    const bytes = Buffer.from(JSON.stringify({ type, source: 'tcp' }))
    fixture.writer('web').append({ kind: 'record', stream: 'none', run: 1, at: world.now, bytes })
  }
  await fixture.writer('web').flush()
  await records().catchUp(ofWeb(), () => fixture.source('web'))
  expect(appended).toEqual([])
})
