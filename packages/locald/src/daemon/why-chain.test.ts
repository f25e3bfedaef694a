import type { ServiceSnapshot, ServiceState } from '@locald/protocol'
import { expect, test } from 'vitest'
import { chainFrom, stateReason } from './why-chain.ts'

function snapshot(name: string, state: ServiceState, more: Partial<ServiceSnapshot> = {}): ServiceSnapshot {
  return {
    name,
    instance: 1,
    type: 'worker',
    state,
    health: { status: 'none', source: null },
    pid: null,
    port: null,
    ports: [],
    url: null,
    restarts: 0,
    exit: null,
    started_at: null,
    ready_after_ms: null,
    depends_on: [],
    warnings: [],
    run: 0,
    waiting_for: [],
    reason: null,
    retry_at: null,
    ...more,
  }
}

const waiting = (name: string, ...services: readonly string[]): ServiceSnapshot =>
  snapshot(name, 'waiting', {
    waiting_for: services.map((service) => ({ service, condition: 'healthy', reason: 'starting' })),
  })

function labels(start: string, ...snapshots: readonly ServiceSnapshot[]): readonly string[] {
  return chainFrom(start, new Map(snapshots.map((s) => [s.name, s]))).map(({ label }) => label)
}

test('chainFrom() goes down to what waits for nobody', () => {
  expect(labels('web', waiting('web', 'api'), waiting('api', 'db'), snapshot('db', 'starting'))).toEqual([
    'web',
    'api',
    'db',
  ])
})

test('chainFrom() of several takes the one that is worst at its root, however deep', () => {
  const health = { status: 'unhealthy', source: 'http' } as const
  const all = [
    waiting('web', 'slow', 'api'),
    snapshot('slow', 'starting'),
    waiting('api', 'db'),
    snapshot('db', 'running', { health }),
  ]
  expect(labels('web', ...all)).toEqual(['web', 'api', 'db'])
})

test('chainFrom() follows what a service failed with, unless that is well again', () => {
  const web = snapshot('web', 'failed', { reason: 'dependency "db" failed: exited with code 1' })
  expect(labels('web', web, snapshot('db', 'failed'))).toEqual(['web', 'db'])
  const health = { status: 'healthy', source: 'tcp' } as const
  expect(labels('web', web, snapshot('db', 'running', { health }))).toEqual(['web'])
  expect(labels('web', web)).toEqual(['web'])
})

test('chainFrom() ends in a circle', () => {
  expect(labels('a', waiting('a', 'b'), waiting('b', 'a'))).toEqual(['a', 'b'])
})

test('stateReason() says what starts what is idle', () => {
  expect(stateReason(snapshot('web', 'idle'))).toMatch(/first request/u)
})
