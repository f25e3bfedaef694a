import { LocaldError } from '@locald/protocol'
import { expect, test } from 'vitest'
import type { Invocation } from './command.ts'
import { durationOption, numberOption, timeOption, variableOptions } from './option-values.ts'

function given(...values: readonly string[]): Invocation {
  return { args: [], verbatim: null, flag: () => false, text: () => values[0], list: () => values }
}

test.each([
  ['90s', 90_000],
  ['2m', 120_000],
  ['500ms', 500],
  ['30', 30_000],
  ['1.5', 1500],
])('durationOption() reads %s', (text, ms) => {
  expect(durationOption(given(text), 'timeout')).toBe(ms)
})

test('durationOption() refuses what is no duration, and no time at all', () => {
  expect(() => durationOption(given('soon'), 'timeout')).toThrow('Cannot read the duration "soon" of --timeout')
  expect(() => durationOption(given('0'), 'timeout')).toThrow('Cannot read the duration "0" of --timeout')
  expect(durationOption(given(), 'timeout')).toBeUndefined()
})

test('timeOption() reads how long ago, and dates', () => {
  const now = Date.UTC(2026, 0, 31, 12)
  expect(timeOption(given('5m'), 'since', now)).toBe(now - 300_000)
  expect(timeOption(given('2026-01-31T11:00:00Z'), 'since', now)).toBe(now - 3_600_000)
  expect(() => timeOption(given('yesterday'), 'since', now)).toThrow(LocaldError)
})

test('numberOption() reads whole numbers that are large enough', () => {
  expect(numberOption(given('20'), 'tail', 0)).toBe(20)
  expect(numberOption(given('-1'), 'run', -10)).toBe(-1)
  for (const text of ['-1', '1.5', 'x', '']) expect(() => numberOption(given(text), 'tail', 0)).toThrow(LocaldError)
})

test('variableOptions() splits at the first equals sign; the last of one name counts', () => {
  expect(variableOptions(given('A=1', 'B=x=y\nz', 'A=2', 'C='), 'env')).toEqual({ A: '2', B: 'x=y\nz', C: '' })
  expect(variableOptions(given(), 'env')).toBeUndefined()
  for (const text of ['A', '=1', '1A=2', 'A B=1'])
    expect(() => variableOptions(given(text), 'env')).toThrow(LocaldError)
})
