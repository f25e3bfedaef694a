import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { IdleTimer } from './idle-timer.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('tells once nothing has run and nobody has asked for half an hour', async () => {
  let isBusy = true
  const onIdle = vi.fn()
  const timer = new IdleTimer({ isBusy: () => isBusy, onIdle })
  await vi.advanceTimersByTimeAsync(3 * 60 * 60_000)
  isBusy = false
  await vi.advanceTimersByTimeAsync(29 * 60_000)
  await timer.during(Promise.resolve())
  await vi.advanceTimersByTimeAsync(29 * 60_000)
  expect(onIdle).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(2 * 60_000)
  expect(onIdle).toHaveBeenCalledTimes(1)
})

test('an answer that goes on counts to its end', async () => {
  const onIdle = vi.fn()
  const timer = new IdleTimer({ isBusy: () => false, onIdle })
  let end = (): void => {}
  const following = timer.during(
    new Promise<void>((resolve) => {
      end = resolve
    }),
  )
  await vi.advanceTimersByTimeAsync(5 * 60 * 60_000)
  expect(onIdle).not.toHaveBeenCalled()
  end()
  await following
  await vi.advanceTimersByTimeAsync(31 * 60_000)
  expect(onIdle).toHaveBeenCalledTimes(1)
})
