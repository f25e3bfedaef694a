import { expect, test } from 'vitest'
import { parseBytes } from './bytes.ts'

test.each([
  ['10MB', 10_000_000],
  ['512KiB', 524_288],
  ['1g', 1_000_000_000],
  ['1.5 kb', 1500],
  ['7', 7],
  [4096, 4096],
])('parseBytes() reads %j as %d bytes', (written, expected) => {
  expect(parseBytes(written)).toBe(expected)
})

test.each(['', 'MB', '10XB', '-1', '1e3', -1, 0.5, Number.NaN])('parseBytes() refuses %j', (written) => {
  expect(parseBytes(written)).toBeUndefined()
})
