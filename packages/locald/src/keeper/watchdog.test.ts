import { beforeEach, describe, expect, test } from 'vitest'
import { Watchdog } from './watchdog.ts'

/** Time that passes when the test says so. */
class Clock {
  time = 0
  #due: { at: number; task: () => void } | null = null

  readonly now = (): number => this.time
  readonly after = (ms: number, task: () => void): (() => void) => {
    const due = { at: this.time + ms, task }
    this.#due = due
    return () => {
      if (this.#due === due) this.#due = null
    }
  }

  pass(ms: number): void {
    const end = this.time + ms
    for (let due = this.#due; due !== null && due.at <= end; due = this.#due) {
      this.#due = null
      this.time = due.at
      due.task()
    }
    this.time = end
  }
}

describe('Watchdog', () => {
  let clock: Clock
  let told: string[]
  let arrived: boolean
  let watchdog: Watchdog

  const make = (periodMs: number): Watchdog =>
    new Watchdog({
      periodMs,
      now: clock.now,
      after: clock.after,
      catchUp: () => {
        if (arrived) watchdog.ping()
        arrived = false
      },
      onChange: (is, period) => told.push(`${is} ${period}`),
    })

  beforeEach(() => {
    clock = new Clock()
    told = []
    arrived = false
    watchdog = make(100)
  })

  test('waits for nothing before it is armed', () => {
    watchdog.ping()
    clock.pass(1000)
    expect(told).toEqual([])
  })

  test('tells a miss once, and the first sign of life after it', () => {
    watchdog.arm()
    clock.pass(99)
    expect(told).toEqual([])
    clock.pass(1)
    expect(told).toEqual(['missed 100'])
    clock.pass(1000)
    watchdog.ping()
    watchdog.ping()
    clock.pass(99)
    expect(told).toEqual(['missed 100', 'resumed 100'])
    clock.pass(1)
    expect(told).toEqual(['missed 100', 'resumed 100', 'missed 100'])
  })

  test('is content with a sign of life in each period, however often it is armed', () => {
    watchdog.arm()
    for (let round = 0; round < 20; round++) {
      clock.pass(60)
      watchdog.ping()
      watchdog.arm()
    }
    expect(told).toEqual([])
  })

  test('counts what has arrived and was not looked at', () => {
    watchdog.arm()
    clock.pass(50)
    arrived = true
    clock.pass(100)
    expect(told).toEqual([])
    clock.pass(100)
    expect(told).toEqual(['missed 100'])
  })

  test('takes another period from the service', () => {
    watchdog.arm()
    clock.pass(90)
    watchdog.setPeriod(1000)
    clock.pass(999)
    expect(told).toEqual([])
    clock.pass(1)
    expect(told).toEqual(['missed 1000'])
  })

  test('without a period it counts only once the service asks for one', () => {
    watchdog = make(Number.POSITIVE_INFINITY)
    watchdog.arm()
    clock.pass(1e9)
    expect(told).toEqual([])
    watchdog.setPeriod(200)
    clock.pass(200)
    expect(told).toEqual(['missed 200'])
  })

  test('believes for good a service that says it has failed', () => {
    watchdog.arm()
    watchdog.trigger()
    watchdog.ping()
    watchdog.trigger()
    clock.pass(1000)
    expect(told).toEqual(['missed 100'])
  })

  test('is silent once it is stopped', () => {
    watchdog.arm()
    watchdog.stop()
    watchdog.ping()
    watchdog.trigger()
    clock.pass(1000)
    expect(told).toEqual([])
  })
})
