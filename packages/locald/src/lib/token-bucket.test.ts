import { expect, test } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

test('take() gives the burst at once, then as many as time brings, and never saves up more than the burst', () => {
  let now = 0
  const bucket = new TokenBucket({ burst: 3, perSecond: 2, now: () => now })
  const taken = (tries: number): number => Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length
  expect(taken(5)).toBe(3)
  now += 499
  expect(taken(5)).toBe(0)
  now += 1001
  expect(taken(5)).toBe(3)
  now += 3_600_000
  expect(taken(10)).toBe(3)
})
