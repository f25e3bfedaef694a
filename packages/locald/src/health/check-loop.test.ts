import { describe, expect, test } from 'vitest'
import { CheckLoop } from './check-loop.ts'
import { FakeClock } from './testing/fake-clock.ts'
import type { CheckLoopOptions, CheckResult } from './check-loop.ts'
import type { HealthReport } from './monitor.ts'

const good: CheckResult = { ok: true, source: 'http', message: 'fine', ports: [80], warnings: [] }
const bad: CheckResult = { ok: false, source: 'http', message: 'broken' }

function setUp(options: Partial<CheckLoopOptions> = {}) {
  const clock = new FakeClock()
  const reports: HealthReport[] = []
  const world = { result: good, checks: 0 }
  const loop = new CheckLoop({
    check: async () => {
      world.checks++
      return world.result
    },
    report: (report) => reports.push(report),
    clock,
    random: () => 1,
    source: 'http',
    intervalMs: 1000,
    retries: 3,
    countFrom: 0,
    pace: { fromMs: 10, toMs: 50 },
    wasHealthy: false,
    ...options,
  })
  return { clock, reports, world, loop, types: () => reports.map(({ type }) => type) }
}

describe('CheckLoop', () => {
  test('reports the first success at once and a failure before it only as checked', async () => {
    const { clock, world, loop, types } = setUp()
    world.result = bad
    loop.trigger()
    await clock.advance(500)
    expect(types()).toEqual(['checked'])
    world.result = good
    await clock.advance(50)
    expect(types()).toEqual(['checked', 'healthy'])
  })

  test('slows from 10 to 50 ms while starting, and looks rarely after minutes', async () => {
    const { clock, world, loop } = setUp()
    world.result = bad
    loop.trigger()
    await clock.advance(0)
    const delays: number[] = []
    for (let n = 0; n < 6; n++) {
      delays.push(clock.nextInMs ?? 0)
      await clock.advance(clock.nextInMs ?? 0)
    }
    expect(delays).toEqual([10, 15, 22.5, 33.75, 50, 50])
    await clock.advance(120_000)
    expect(clock.nextInMs).toBeGreaterThan(50)
  })

  test('what cannot be known yet is no failure of what was healthy, and asked again when it can be', async () => {
    const { clock, world, loop, types } = setUp({ retries: 1 })
    loop.trigger()
    await clock.advance(0)
    world.result = { ...bad, isUndecided: true, retryInMs: 300 }
    loop.trigger()
    await clock.advance(0)
    expect(clock.nextInMs).toBe(300)
    expect(types()).toEqual(['healthy', 'checked'])
    world.result = bad
    await clock.advance(300)
    expect(types()).toEqual(['healthy', 'checked', 'unhealthy'])
  })

  test('what is certain counts at once', async () => {
    const { clock, world, loop, types } = setUp()
    loop.trigger()
    await clock.advance(0)
    world.result = { ...bad, isWrong: true, isCertain: true }
    loop.trigger()
    await clock.advance(0)
    expect(types()).toEqual(['healthy', 'unhealthy'])
  })

  test('tells where what is healthy has moved, and nothing of what is not', async () => {
    const { clock, reports, world, loop } = setUp({ retries: 1 })
    loop.moved({ ports: [81], warnings: [] })
    expect(reports).toEqual([])
    loop.trigger()
    await clock.advance(0)
    loop.moved({ ports: [80], warnings: [] })
    loop.moved({ ports: [81], warnings: ['elsewhere'] })
    expect(reports.map((report) => report.type === 'healthy' && report.ports)).toEqual([[80], [81]])
    world.result = bad
    loop.trigger()
    await clock.advance(0)
    loop.moved({ ports: [82], warnings: [] })
    expect(reports.at(-1)).toMatchObject({ type: 'unhealthy' })
  })

  test('a trigger starts at the quick pace again', async () => {
    const { clock, world, loop } = setUp()
    world.result = bad
    loop.trigger()
    await clock.advance(1000)
    loop.trigger()
    await clock.advance(0)
    expect(clock.nextInMs).toBe(10)
  })

  test('becomes unhealthy after as many failures in a row as retries say, and healthy by one success', async () => {
    const { clock, world, loop, types } = setUp()
    loop.trigger()
    await clock.advance(0)
    world.result = bad
    await clock.advance(2000)
    expect(types()).toEqual(['healthy', 'checked'])
    await clock.advance(1000)
    expect(types()).toEqual(['healthy', 'checked', 'unhealthy'])
    world.result = good
    await clock.advance(1000)
    expect(types().at(-1)).toBe('healthy')
    expect(world.checks).toBe(5)
  })

  test('a success between failures starts the count anew', async () => {
    const { clock, world, loop, types } = setUp({ retries: 2 })
    loop.trigger()
    await clock.advance(0)
    for (let n = 0; n < 4; n++) {
      world.result = n % 2 === 0 ? bad : good
      await clock.advance(1000)
    }
    expect(types()).not.toContain('unhealthy')
  })

  test('failures within the start period do not count', async () => {
    const clock = new FakeClock()
    const { world, loop, types } = setUp({ clock, retries: 1, countFrom: clock.now() + 5000 })
    loop.trigger()
    await clock.advance(0)
    world.result = bad
    await clock.advance(4500)
    expect(types()).not.toContain('unhealthy')
    await clock.advance(1000)
    expect(types()).toContain('unhealthy')
  })

  test('something wrong is unhealthy although it has never been healthy', async () => {
    const { clock, world, loop, types } = setUp()
    world.result = { ...bad, isWrong: true }
    loop.trigger()
    await clock.advance(500)
    expect(types()).toEqual(['unhealthy'])
    expect(loop.isSteady).toBe(false)
    world.result = good
    await clock.advance(50)
    expect(types()).toEqual(['unhealthy', 'healthy'])
  })

  test('a service taken over is checked at once, by interval, and its failures count', async () => {
    const { clock, world, loop, types } = setUp({ wasHealthy: true, retries: 2 })
    world.result = bad
    loop.trigger()
    await clock.advance(0)
    expect(types()).toEqual(['checked'])
    await clock.advance(1000)
    expect(types()).toEqual(['checked', 'unhealthy'])
    expect(world.checks).toBe(2)
  })

  test('reports healthy again when ports or source change, and not otherwise', async () => {
    const { clock, world, loop, reports, types } = setUp()
    loop.trigger()
    await clock.advance(3000)
    expect(types()).toEqual(['healthy'])
    world.result = { ...good, ports: [81] }
    await clock.advance(1000)
    expect(reports.at(-1)).toMatchObject({ type: 'healthy', ports: [81] })
  })

  test('never runs two checks at once, and runs again when triggered during one', async () => {
    let running = 0
    let most = 0
    const ends: (() => void)[] = []
    const { clock, loop } = setUp({
      check: async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => ends.push(resolve))
        running--
        return good
      },
    })
    loop.trigger()
    await clock.advance(0)
    loop.trigger()
    loop.trigger()
    ends[0]?.()
    await clock.advance(0)
    expect(ends.length).toBe(2)
    ends[1]?.()
    await clock.advance(0)
    expect(ends.length).toBe(2)
    expect(most).toBe(1)
  })

  test('spreads the first steady check over half an interval', async () => {
    const { clock, loop } = setUp({ random: () => 0.2 })
    loop.trigger()
    await clock.advance(0)
    expect(clock.nextInMs).toBe(600)
    await clock.advance(600)
    expect(clock.nextInMs).toBe(1000)
  })

  test('is silent and idle after disposal, also while a check is under way', async () => {
    let seen: AbortSignal | null = null
    const { clock, loop, types } = setUp({
      check: async (signal) => {
        seen = signal
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return good
      },
    })
    loop.trigger()
    await clock.advance(0)
    loop[Symbol.dispose]()
    await clock.advance(5000)
    expect(seen).toMatchObject({ aborted: true })
    expect(types()).toEqual([])
    expect(clock.nextInMs).toBeNull()
  })

  test('what is final is not checked again', async () => {
    const { clock, world, loop } = setUp({ intervalMs: Number.POSITIVE_INFINITY })
    loop.trigger()
    await clock.advance(100_000)
    expect(world.checks).toBe(1)
  })
})
