import { expect, test } from 'vitest'
import { differenceOf } from './difference.ts'
import type { PlanInputs } from './plan-for.ts'
import { configOf, layersOf, planOf } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

type Services = Readonly<Record<string, ServiceSketch>>

function difference(before: Services, after: Services, inputs: readonly [PlanInputs, PlanInputs] = [{}, {}]) {
  return differenceOf(planOf(configOf(before), inputs[0]), planOf(configOf(after), inputs[1]))
}

const same = { added: [], removed: [], changed: [], updated: [] }
const http = { type: 'http', method: 'GET', path: '/', status: [], headers: {} } as const
const timing = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 }

test('differenceOf() finds none between two plans of one configuration', () => {
  expect(difference({ web: {}, db: {} }, { web: {}, db: {} })).toEqual(same)
})

test('differenceOf() finds none when services only moved within the file', () => {
  expect(difference({ web: { env: { A: '1' } }, db: {} }, { db: {}, web: { env: { A: '1' } } })).toEqual(same)
})

test('differenceOf() names what came and what went, and leaves the others alone', () => {
  expect(difference({ web: {}, old: {} }, { web: {}, fresh: {} })).toEqual({
    ...same,
    added: ['fresh'],
    removed: ['old'],
  })
})

const changes: readonly [string, ServiceSketch][] = [
  ['command', { command: 'other' }],
  ['list command', { command: ['run', 'web'] }],
  ['workdir', { workdir: '/elsewhere' }],
  ['env', { env: { A: '1' } }],
  ['port', { port: 3000 }],
  ['tty', { tty: false }],
  ['type', { type: 'site', site: { path: '.' } }],
]
test.each(changes)('differenceOf() restarts a service for another %s', (_, web) => {
  expect(difference({ web: {} }, { web })).toEqual({ ...same, changed: ['web'] })
})

const updates: readonly [string, ServiceSketch][] = [
  ['health check', { healthCheck: { ...http, ...timing } }],
  ['dependency', { dependsOn: ['db'] }],
  ['restart policy', { restart: 'always' }],
  ['stop signal', { stopSignal: 'SIGINT' }],
  ['stop timeout', { stopTimeoutMs: 1 }],
  ['start timeout', { startTimeoutMs: 1 }],
  ['number of replicas', { replicas: 2 }],
  ['type that runs it the same way', { type: 'exec', listening: 'must' }],
]
test.each(updates)('differenceOf() takes over another %s without a restart', (_, web) => {
  expect(difference({ web: {}, db: {} }, { web, db: {} })).toEqual({ ...same, updated: ['web'] })
})

test('differenceOf() restarts what sees another value of an env file', () => {
  const services = { web: {}, api: { env: { A: 'own' } }, job: {} }
  const layers = [{ layers: layersOf('A=1', { job: 'A=job' }) }, { layers: layersOf('A=2', { job: 'A=job' }) }] as const
  expect(difference(services, services, layers)).toEqual({ ...same, changed: ['web'] })
  const serviceFiles = [{ layers: layersOf('', { job: 'A=1' }) }, { layers: layersOf('', { job: 'A=2' }) }] as const
  expect(difference(services, services, serviceFiles)).toEqual({ ...same, changed: ['job'] })
})

test('differenceOf() restarts for another value of a flag', () => {
  expect(difference({ web: {} }, { web: {} }, [{ flags: { A: '1' } }, { flags: { A: '2' } }])).toEqual({
    ...same,
    changed: ['web'],
  })
})

test('differenceOf() restarts for a value that a list command refers to', () => {
  const web: ServiceSketch = { command: ['run', '${env.A}'], env: { B: '1' } }
  const flags = [{ layers: layersOf('A=1') }, { layers: layersOf('A=2') }] as const
  expect(difference({ web }, { web }, flags)).toEqual({ ...same, changed: ['web'] })
})

test('differenceOf() restarts what refers to an address that moved, and what depends on it', () => {
  const rest: Services = { web: { env: { DB: '${services.db.url}' } }, api: { dependsOn: ['db'] }, other: {} }
  expect(difference({ ...rest, db: { port: 5432 } }, { ...rest, db: { port: 5433 } })).toEqual({
    ...same,
    changed: ['db', 'web', 'api'],
  })
})

test('differenceOf() takes PORT in env for port', () => {
  const written: ServiceSketch = { env: { PORT: '3000' } }
  expect(difference({ web: { port: 3000 } }, { web: written })).toEqual({ ...same, updated: ['web'] })
  expect(difference({ web: { port: 3001 } }, { web: written })).toEqual({ ...same, changed: ['web'] })
})
