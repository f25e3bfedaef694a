import { expect, test } from 'vitest'
import { Sieve } from './container-log.ts'

function sift(sieve: Sieve, ...times: readonly number[]): readonly number[] {
  return times.filter((at) => sieve.isNew({ stream: 'stdout', at }))
}

test('Sieve passes over what is recorded, and takes everything after that', () => {
  const sieve = new Sieve({ stdout: 5, stderr: 9 })
  expect(sift(sieve, 3, 4, 5, 6, 6, 7)).toEqual([6, 6, 7])
  expect(sieve.isNew({ stream: 'pty', at: 1 })).toBe(true)
})

test('Sieve passes over what an engine repeats', () => {
  expect(sift(new Sieve({}), 1, 2, 3, 2, 3, 4)).toEqual([1, 2, 3, 4])
})

test('Sieve takes what comes after the clock was set back', () => {
  expect(sift(new Sieve({}), 100, 101, 50, 51)).toEqual([100, 101, 50, 51])
})
