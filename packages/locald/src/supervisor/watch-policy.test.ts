import { expect, test } from 'vitest'
import type { WatchRestart } from './instance.ts'
import { afterChangedFiles, loopLimit } from './watch-policy.ts'

const restart = (at: number, ageMs: number, files = '"out.js"'): WatchRestart => ({ at, ageMs, files })

test('afterChangedFiles() cuts off the same files at the same age of the run, however slow it is', () => {
  const restarts = [10_000, 20_100, 30_150, 40_400].map((at) => restart(at, 10_000 + (at % 1000)))
  const verdict = afterChangedFiles({ restarts, ageMs: 10_200, files: ['out.js'], now: 50_600 })
  expect(verdict).toMatchObject({ next: 'suspend', reason: expect.stringContaining('"out.js"') })
  expect(afterChangedFiles({ restarts, ageMs: 10_200, files: ['other.js'], now: 50_600 })).toMatchObject({
    next: 'restart',
  })
  expect(afterChangedFiles({ restarts, ageMs: 14_000, files: ['out.js'], now: 54_000 })).toMatchObject({
    next: 'restart',
  })
})

test('afterChangedFiles() lets fewer than that pass', () => {
  const restarts = Array.from({ length: loopLimit - 2 }, (_, n) => restart(n * 1000, 1000))
  expect(afterChangedFiles({ restarts, ageMs: 1000, files: ['out.js'], now: 9000 })).toMatchObject({ next: 'restart' })
})

test('afterChangedFiles() cuts off twenty restarts within a minute, however different', () => {
  const restarts = Array.from({ length: 19 }, (_, n) => restart(n * 2500, n * 700, `"f${n}"`))
  expect(afterChangedFiles({ restarts, ageMs: 5, files: ['g'], now: 50_000 })).toMatchObject({ next: 'suspend' })
  expect(afterChangedFiles({ restarts, ageMs: 5, files: ['g'], now: 70_000 })).toMatchObject({ next: 'restart' })
})

test('afterChangedFiles() names one file, and counts the others', () => {
  const verdict = afterChangedFiles({ restarts: [], ageMs: 5, files: ['b', 'c', 'a'], now: 1 })
  expect(verdict).toEqual({ next: 'restart', restarts: [{ at: 1, ageMs: 5, files: '"a" and 2 more' }] })
})
