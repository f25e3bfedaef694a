import { expect, test } from 'vitest'
import { cronFault, nextMoment } from './cron.ts'

const local = (text: string): number => new Date(text).getTime()

test.each([
  ['*/5 * * * *', '2026-03-01T10:02:30', '2026-03-01T10:05:00'],
  ['*/5 * * * *', '2026-03-01T10:05:00', '2026-03-01T10:10:00'],
  [' 30 4 * * MON ', '2026-03-01T10:00:00', '2026-03-02T04:30:00'],
  ['@daily', '2026-12-31T10:00:00', '2027-01-01T00:00:00'],
  ['0 0 29 2 *', '2026-03-01T00:00:00', '2028-02-29T00:00:00'],
  // Either the day of the month or that of the week, as cron has it.
  ['0 0 13 * FRI', '2026-03-01T00:00:00', '2026-03-06T00:00:00'],
])('nextMoment("%s") after %s is %s', (expression, after, expected) => {
  expect(nextMoment(expression, local(after))).toBe(local(expected))
  expect(cronFault(expression)).toBeNull()
})

test.each([
  ['* * *', 'five cron fields'],
  ['0 * * * * *', 'five cron fields'],
  ['@often', 'five cron fields'],
  ['61 * * * *', '61'],
  ['a b c d e', 'illegal'],
  ['0 0 30 2 *', 'never'],
])('cronFault() finds what is wrong with "%s"', (expression, fault) => {
  expect(cronFault(expression)).toContain(fault)
})

test('nextMoment() of what never comes, or cannot be read, is null', () => {
  expect(nextMoment('0 0 30 2 *', 0)).toBeNull()
  expect(nextMoment('nonsense', 0)).toBeNull()
})
