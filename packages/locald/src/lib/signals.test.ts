import { expect, test } from 'vitest'
import { parseSignal } from './signals.ts'

test.each(['INT', 'SIGINT', 'int', 'sigInt', ' SIGINT '])('parseSignal() knows %j', (written) => {
  expect(parseSignal(written)).toBe('SIGINT')
})

test.each(['', 'SIG', 'SIGFOO', 'toString', '2'])('parseSignal() refuses %j', (written) => {
  expect(parseSignal(written)).toBeUndefined()
})
