import { expect, test } from 'vitest'
import { parseDuration } from './duration.ts'

test.each([
  ['500ms', 500],
  ['2s', 2000],
  ['1m', 60_000],
  ['1h', 3_600_000],
  ['1.5s', 1500],
  ['1m30s', 90_000],
  [' 1m 30s ', 90_000],
  [0, 0],
  [3, 3000],
  [0.25, 250],
])('parseDuration() reads %j as %d ms', (written, expected) => {
  expect(parseDuration(written)).toBe(expected)
})

test.each(['', 's', '5', '5 apples', '-1s', '1s!', '1d', -1, Number.NaN, Number.POSITIVE_INFINITY])(
  'parseDuration() refuses %j',
  (written) => {
    expect(parseDuration(written)).toBeUndefined()
  },
)
