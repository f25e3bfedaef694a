import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

test('BufferPool gives out what it was given back, no more of it than it may keep, and nothing of another size', () => {
  const pool = new BufferPool({ bytes: 16, spares: 2 })
  const taken = [pool.take(), pool.take(), pool.take()]
  expect(new Set(taken).size).toBe(3)
  pool.giveBack(Buffer.alloc(8))
  for (const buffer of taken) pool.giveBack(buffer)
  const again = [pool.take(), pool.take(), pool.take()]
  expect(again.map((buffer) => taken.includes(buffer))).toEqual([true, true, false])
  expect(again.every(({ length }) => length === 16)).toBe(true)
})
