import { expect, test } from 'vitest'
import { restartDelay } from './daemon-process.ts'

test('restartDelay() is nothing at first, then doubles, then gives up within a minute', () => {
  expect(restartDelay([0])).toBe(0)
  expect(restartDelay([0, 10])).toBe(100)
  expect(restartDelay([0, 10, 20])).toBe(200)
  expect(restartDelay([0, 10, 20, 30])).toBe(400)
  expect(restartDelay([0, 10, 20, 30, 59_999])).toBe(null)
})

test('restartDelay() forgets crashes after a minute', () => {
  expect(restartDelay([0, 10, 20, 30, 60_030])).toBe(0)
  expect(restartDelay([0, 10, 20, 30_000, 60_025])).toBe(100)
})
