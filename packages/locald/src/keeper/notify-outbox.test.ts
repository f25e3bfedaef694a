import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NotifyOutbox } from './notify-outbox.ts'
import type { FactBody } from './fact-log.ts'
import type { NotifySender } from './protocol.ts'

const sender: NotifySender = { pid: 7, uid: 0, command: 'x', verdict: 'member' }
const refusal = { reason: 'outside', fields: { READY: '1' }, sender } as const

describe('NotifyOutbox', () => {
  let told: FactBody[]
  let outbox: NotifyOutbox

  beforeEach(() => {
    vi.useFakeTimers()
    told = []
    outbox = new NotifyOutbox({
      tell: (body) => {
        told.push(body)
        outbox.acknowledged()
      },
      now: () => Date.now(),
      after: (ms, task) => {
        const timer = setTimeout(task, ms)
        return () => clearTimeout(timer)
      },
    })
  })
  afterEach(() => vi.useRealTimers())

  test('tells the first messages as they come', () => {
    for (let n = 0; n < 20; n++) outbox.accept({ STATUS: String(n) }, sender)
    expect(told).toHaveLength(20)
  })

  test('merges what comes too quickly, and loses no word of it', () => {
    for (let n = 0; n < 1000; n++) {
      outbox.accept({ STATUS: String(n) }, sender)
      if (n === 500) outbox.accept({ READY: '1' }, sender)
    }
    vi.advanceTimersByTime(1000)
    expect(told.length).toBeLessThanOrEqual(25)
    expect(told.at(-1)).toMatchObject({ type: 'notified', fields: { READY: '1', STATUS: '999' } })
    vi.advanceTimersByTime(60_000)
    expect(told.length).toBeLessThanOrEqual(25)
  })

  test('counts refusals and tells them once a second', () => {
    for (let n = 0; n < 100; n++) outbox.refuse(refusal)
    vi.advanceTimersByTime(1000)
    outbox.refuse(refusal)
    vi.advanceTimersByTime(10_000)
    expect(told).toMatchObject([{ count: 1 }, { count: 99 }, { count: 1 }])
  })

  test('only the latest word of the watchdog matters', () => {
    for (let n = 0; n < 20; n++) outbox.accept({ STATUS: String(n) }, sender)
    outbox.alarm('missed', 5)
    outbox.alarm('resumed', 5)
    outbox.alarm('missed', 5)
    vi.advanceTimersByTime(1000)
    expect(told.slice(20)).toEqual([{ type: 'watchdog', is: 'missed', periodMs: 5 }])
  })

  test('holds back while nobody stores what it tells, and goes on when somebody does', () => {
    let open = 0
    const silent: FactBody[] = []
    const waiting = new NotifyOutbox({
      tell: (body) => {
        silent.push(body)
        open++
      },
      now: () => Date.now(),
      after: (ms, task) => {
        const timer = setTimeout(task, ms)
        return () => clearTimeout(timer)
      },
    })
    for (let n = 0; n < 200; n++) {
      waiting.accept({ STATUS: String(n) }, sender)
      vi.advanceTimersByTime(1000)
    }
    expect(silent).toHaveLength(40)
    while (open-- > 0) waiting.acknowledged()
    expect(silent).toHaveLength(41)
    expect(silent.at(-1)).toMatchObject({ fields: { STATUS: '199' } })
  })

  test('flush() tells what is held back', () => {
    for (let n = 0; n < 30; n++) outbox.accept({ STATUS: String(n) }, sender)
    outbox.flush()
    expect(told.at(-1)).toMatchObject({ fields: { STATUS: '29' } })
    vi.advanceTimersByTime(10_000)
    expect(told).toHaveLength(21)
  })

  test('stop() forgets what is held back', () => {
    for (let n = 0; n < 30; n++) outbox.accept({ STATUS: String(n) }, sender)
    outbox.stop()
    vi.advanceTimersByTime(10_000)
    expect(told).toHaveLength(20)
  })
})
