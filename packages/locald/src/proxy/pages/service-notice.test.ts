import { expect, test } from 'vitest'
import { otherSiteNotice, serviceNotice, troubleNotice } from './service-notice.ts'
import { described, elsewhere, failed, starting, stopped, waiting } from './testing/descriptions.ts'

test.each([
  ['waiting', waiting, 503, 'service-starting', 'It waits for db'],
  ['starting', starting, 503, 'service-starting', 'Nothing listens on port 21233 yet'],
  ['failed', failed, 502, 'service-failed', "Error: Cannot find module 'express'"],
  ['not healthy in time', elsewhere, 502, 'service-failed', 'It listens on port 5173, not on 21233'],
  ['stopped', stopped, 503, 'service-stopped', ''],
  ['idle', described({ state: 'idle', health: 'none' }), 503, 'service-starting', 'healthy'],
  ['backoff', described({ state: 'backoff', health: 'none' }), 503, 'service-starting', 'healthy'],
  ['completed', described({ state: 'completed', health: 'none' }), 503, 'service-stopped', ''],
  ['healthy by now', described(), 503, 'service-starting', 'healthy'],
  ['unhealthy', described({ health: 'unhealthy' }), 502, 'service-failed', 'healthy'],
] as const)('a service that is %s', (_name, description, status, kind, detail) => {
  expect(serviceNotice(description)).toMatchObject({ status, kind, detail, project: 'shop' })
})

test('exit code and ports are seen at a glance', () => {
  expect(serviceNotice(failed).facts).toEqual([{ name: 'Exit code', value: '1' }])
  expect(serviceNotice(elsewhere).facts).toEqual([
    { name: 'Expected on port', value: '21233' },
    { name: 'Listens on', value: '5173' },
  ])
  const killed = described({ ...failed, exit: { code: null, signal: 'SIGKILL', at: '', reason: 'killed by SIGKILL' } })
  expect(serviceNotice(killed).facts).toEqual([{ name: 'Ended by', value: 'SIGKILL' }])
})

test('nothing is to be done about what is on its way', () => {
  const steps = [{ text: 'Let it listen', command: null }]
  expect(serviceNotice({ ...starting, steps }).steps).toEqual([])
  expect(serviceNotice({ ...starting, state: 'backoff', steps }).steps).toEqual(steps)
})

test('a stopped service says how to start it, and nothing of what it once wrote', () => {
  const { steps, lines } = serviceNotice({ ...stopped, lines: failed.lines })
  expect(steps).toEqual([{ text: 'Start it', command: 'locald up web' }])
  expect(lines).toEqual([])
})

test('a page of a service that counts as up looks again only after a while', () => {
  expect(troubleNotice(described(), 'refused')).toMatchObject({ status: 502, watch: { settleMs: 2000 } })
  expect(troubleNotice(described(), 'timeout').status).toBe(504)
})

test('another site learns nothing of what a service wrote, and is not told to come back', () => {
  const notice = otherSiteNotice({ ...waiting, evidence: 'secret' })
  expect(notice).toMatchObject({ status: 503, lines: [], chain: [], watch: null })
  expect(JSON.stringify(notice)).not.toContain('secret')
})
