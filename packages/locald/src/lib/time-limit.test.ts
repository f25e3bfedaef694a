import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { timeLimit } from './time-limit.ts'

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', resolve))
}

test('a limit holds also when nobody but its user knows of it, and garbage is collected', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: unknown = runInNewContext('gc')
  if (typeof collectGarbage !== 'function') throw new Error('There is no way to collect garbage')
  const collecting = setInterval(() => void collectGarbage(), 5)
  try {
    const { signal } = timeLimit(50, new AbortController().signal)
    await aborted(signal)
    expect(signal.aborted).toBe(true)
  } finally {
    clearInterval(collecting)
  }
})

test('the other signal ends it earlier, which is not for the time', async () => {
  const other = new AbortController()
  using limit = timeLimit(60_000, other.signal)
  expect(limit.signal.aborted).toBe(false)
  other.abort()
  expect(limit).toMatchObject({ isOver: false, signal: { aborted: true } })
  using late = timeLimit(60_000, other.signal)
  expect(late.signal.aborted).toBe(true)
})

test('once over, it says so', async () => {
  using limit = timeLimit(1)
  await aborted(limit.signal)
  expect(limit.isOver).toBe(true)
})

test('let go of, it never aborts', async () => {
  const other = new AbortController()
  const limit = timeLimit(1, other.signal)
  limit[Symbol.dispose]()
  await new Promise((resolve) => setTimeout(resolve, 10)) // longer than the limit
  other.abort()
  expect(limit.signal.aborted).toBe(false)
})
