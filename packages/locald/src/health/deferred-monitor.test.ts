import { expect, test, vi } from 'vitest'
import { startDeferredMonitor } from './deferred-monitor.ts'
import type { HealthMonitor, HealthReport } from './monitor.ts'
import { FakeClock } from './testing/fake-clock.ts'

const known = { source: 'command', intervalMs: 1000, retries: 2, countFrom: 0, wasHealthy: true } as const

type Prepare = () => Promise<string>

const failing: Prepare = async () => {
  throw new Error('Cannot read the env file')
}

interface World {
  readonly clock: FakeClock
  readonly reports: HealthReport[]
  readonly started: string[]
  readonly monitor: HealthMonitor
  readonly prepare: { do: Prepare }
  disposed: boolean
}

function world(wasHealthy = true): World {
  const clock = new FakeClock()
  const reports: HealthReport[] = []
  const started: string[] = []
  const prepare = { do: failing }
  const made: World = {
    clock,
    reports,
    started,
    prepare,
    disposed: false,
    monitor: startDeferredMonitor(
      { ...known, wasHealthy },
      async () => await prepare.do(),
      (prepared) => {
        started.push(prepared)
        return { source: 'command', lastCheck: null, notified: vi.fn(), [Symbol.dispose]: () => (made.disposed = true) }
      },
      (report) => reports.push(report),
      clock,
    ),
  }
  return made
}

test('startDeferredMonitor() fails like the check itself as long as it cannot be prepared, and goes on when it can', async () => {
  const made = world()
  await made.clock.advance(0)
  expect(made.reports).toEqual([{ type: 'checked', source: 'command', message: 'Cannot read the env file' }])
  await made.clock.advance(1000)
  expect(made.reports.at(-1)?.type).toBe('unhealthy')
  expect(made.monitor.lastCheck).toMatchObject({ ok: false, message: 'Cannot read the env file' })
  made.prepare.do = async () => 'ready'
  await made.clock.advance(1100)
  expect(made.started).toEqual(['ready'])
  await made.clock.advance(10_000)
  expect(made.started, 'once').toEqual(['ready'])
  expect(made.reports).toHaveLength(2)
  made.monitor[Symbol.dispose]()
  expect(made.disposed).toBe(true)
})

test('startDeferredMonitor() tries soon, and without a verdict, for what was never healthy', async () => {
  const made = world(false)
  await made.clock.advance(5000)
  expect(made.reports.map(({ type }) => type)).toEqual(['checked'])
  made.prepare.do = async () => 'ready'
  await made.clock.advance(2000)
  expect(made.started).toEqual(['ready'])
})

test('startDeferredMonitor() starts nothing after its end', async () => {
  const made = world()
  let finish: (text: string) => void = () => undefined
  made.prepare.do = async () => await new Promise<string>((resolve) => (finish = resolve))
  await made.clock.advance(1000)
  made.monitor[Symbol.dispose]()
  finish('late')
  await made.clock.advance(5000)
  expect(made.started).toEqual([])
})
