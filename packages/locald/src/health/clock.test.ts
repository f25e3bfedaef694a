import { expect, test, vi } from 'vitest'
import { systemClock } from './clock.ts'

test('systemClock runs what is due at the same moment in one turn, but for what was disposed of', async () => {
  const turns: (readonly [name: string, turn: number])[] = []
  let turn = 0
  const count = setInterval(() => turn++, 0)
  const moment = systemClock.now() + 50
  const at = (name: string): Disposable => systemClock.after(moment - systemClock.now(), () => turns.push([name, turn]))
  at('one')
  const disposed = at('disposed')
  await new Promise((resolve) => setTimeout(resolve, 10))
  at('two')[Symbol.dispose]()
  at('three')
  disposed[Symbol.dispose]()
  await vi.waitUntil(() => turns.length > 0)
  clearInterval(count)
  expect(turns.map(([name]) => name)).toEqual(['one', 'three'])
  expect(new Set(turns.map(([, number]) => number)).size).toBe(1)
})

test('systemClock does not come before its time by more than a turn', async () => {
  const before = systemClock.now()
  await new Promise<void>((resolve) => void systemClock.after(30, resolve))
  expect(systemClock.now() - before).toBeGreaterThanOrEqual(25)
})
