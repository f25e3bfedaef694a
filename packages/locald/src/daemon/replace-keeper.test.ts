import { expect, test } from 'vitest'
import { keeperLoss } from './replace-keeper.ts'

test('keeperLoss() has another keeper started at once when the lost one had lived, whatever came before', () => {
  expect(keeperLoss(1000, undefined)).toEqual({ count: 0, delayMs: 0 })
  expect(keeperLoss(86_400_000, '4')).toEqual({ count: 0, delayMs: 0 })
})

test('keeperLoss() replaces keepers that are lost at once more and more slowly, then no more', () => {
  const losses = [undefined, '1', '2', '3', '4'].map((before) => keeperLoss(10, before))
  expect(losses.map(({ count }) => count)).toEqual([1, 2, 3, 4, 5])
  expect(losses.map(({ delayMs }) => delayMs)).toEqual([0, 100, 200, 400, null])
})

test('keeperLoss() takes a variable that is not its own for none', () => {
  expect(keeperLoss(10, 'many')).toEqual({ count: 1, delayMs: 0 })
})
