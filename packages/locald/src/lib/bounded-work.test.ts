import { expect, test } from 'vitest'
import { boundedWork, TookTooLong } from './bounded-work.ts'

test('boundedWork() returns and throws what the work does', () => {
  expect(boundedWork(1000, () => [1, undefined])).toEqual([1, undefined])
  expect(() =>
    boundedWork(1000, () => {
      throw new TypeError('wrong')
    }),
  ).toThrow(new TypeError('wrong'))
})

test('boundedWork() ends what takes too long, even within a regular expression, and works again afterwards', () => {
  const began = performance.now()
  expect(() => boundedWork(50, () => /^(a+)+$/u.test(`${'a'.repeat(60)}!`))).toThrow(TookTooLong)
  expect(performance.now() - began).toBeLessThan(5000)
  expect(boundedWork(1000, () => /^(a+)+$/u.test('aaa'))).toBe(true)
})
