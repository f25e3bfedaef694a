import { assert, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { microseconds } from './microseconds.ts'

describe('microseconds()', () => {
  test.each([
    ['5000000', 5000],
    ['1', 1],
    ['0', 0],
    ['-5', null],
    ['5s', null],
    ['', null],
    [undefined, null],
    ['99999999999999999999', null],
  ])('reads %j as %j ms', (text, expected) => {
    expect(microseconds(text)).toBe(expected)
  })

  test('never gives anything but whole milliseconds', () => {
    assert(
      property(string(), (text) => {
        expect(Number.isInteger(microseconds(text) ?? 0)).toBe(true)
      }),
    )
  })
})
