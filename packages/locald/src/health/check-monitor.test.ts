import { expect, test } from 'vitest'
import { startCheckMonitor } from './check-monitor.ts'
import type { BroughtCheck } from './check-monitor.ts'
import type { HealthReport } from './monitor.ts'
import { FakeClock } from './testing/fake-clock.ts'

const subject = { startedAt: 0, ports: [20_000], wasHealthy: false, wasNotified: false }

interface World {
  readonly reports: HealthReport[]
  readonly check: BroughtCheck
  result: Awaited<ReturnType<BroughtCheck['check']>>
  changed: () => void
  disposed: boolean
}

function world(added: Partial<BroughtCheck> = {}): World {
  const made: World = {
    reports: [],
    result: { ok: false, message: 'not yet' },
    changed: () => undefined,
    disposed: false,
    check: {
      source: 'docker',
      check: async () => made.result,
      pace: null,
      intervalMs: Number.POSITIVE_INFINITY,
      retries: 1,
      startPeriodMs: 0,
      takesNotify: false,
      watch: (changed) => {
        made.changed = changed
        return { [Symbol.dispose]: () => (made.disposed = true) }
      },
      ...added,
    },
  }
  return made
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve))

test('startCheckMonitor() reports with the ports of the subject, and follows what changes', async () => {
  const made = world()
  using _monitor = startCheckMonitor(
    subject,
    'docker',
    async () => made.check,
    (one) => made.reports.push(one),
  )
  await settled()
  expect(made.reports).toEqual([{ type: 'checked', source: 'docker', message: 'not yet' }])
  made.result = { ok: true, message: 'fine' }
  made.changed()
  await settled()
  expect(made.reports.at(-1)).toMatchObject({ type: 'healthy', source: 'docker', ports: [20_000] })
  made.result = { ok: false, message: 'gone', output: 'what it said' }
  made.changed()
  await settled()
  expect(made.reports.at(-1)).toEqual({ type: 'unhealthy', source: 'docker', message: 'gone', output: 'what it said' })
})

test('startCheckMonitor() counts retries by the interval of the check', async () => {
  const clock = new FakeClock()
  const made = world({ intervalMs: 1000, retries: 2 })
  made.result = { ok: true, message: 'fine' }
  const bring = async () => made.check
  using _monitor = startCheckMonitor(subject, 'docker', bring, (one) => made.reports.push(one), clock)
  await settled()
  made.result = { ok: false, message: 'gone' }
  await clock.advance(1000)
  await settled()
  expect(made.reports.at(-1)?.type).toBe('checked')
  await clock.advance(1000)
  await settled()
  expect(made.reports.at(-1)?.type).toBe('unhealthy')
})

test('startCheckMonitor() takes READY=1 where nothing else decides', async () => {
  const made = world({ takesNotify: true })
  using monitor = startCheckMonitor(
    subject,
    'docker',
    async () => made.check,
    (one) => made.reports.push(one),
  )
  await settled()
  monitor.notified()
  await settled()
  expect(made.reports.at(-1)).toMatchObject({ type: 'healthy', source: 'notify' })

  const other = world()
  using deaf = startCheckMonitor(
    subject,
    'docker',
    async () => other.check,
    (one) => other.reports.push(one),
  )
  await settled()
  deaf.notified()
  await settled()
  expect(other.reports.at(-1)?.type).toBe('checked')
})

test('startCheckMonitor() says why there is no check until there is one, and nothing after its end', async () => {
  const reports: HealthReport[] = []
  const clock = new FakeClock()
  let isAway = true
  const late = world()
  late.result = { ok: true, message: 'fine' }
  const bring = async (): Promise<BroughtCheck> => {
    if (isAway) throw new Error('the engine is gone')
    return late.check
  }
  using _monitor = startCheckMonitor(subject, 'docker', bring, (one) => reports.push(one), clock)
  await clock.advance(1000)
  expect(reports).toEqual([{ type: 'checked', source: 'docker', message: 'the engine is gone' }])
  isAway = false
  await clock.advance(5000)
  expect(reports.at(-1)).toMatchObject({ type: 'healthy', message: 'fine' })

  const made = world()
  const monitor = startCheckMonitor(
    subject,
    'docker',
    async () => made.check,
    (one) => made.reports.push(one),
  )
  await settled()
  monitor[Symbol.dispose]()
  made.changed()
  await settled()
  expect(made.disposed).toBe(true)
  expect(made.reports).toHaveLength(1)
})
