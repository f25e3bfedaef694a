import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shellWords } from './shell-words.ts'

const simple = [
  'redis-server --appendonly yes',
  `printf '%s' "two words" three\\ four`,
  `a "b\\"c" 'd"e' f'g'"h"`,
  '  spaces   around  ',
  `postgres -c log_statement=all -c 'a b'`,
  'x a~b a#b {} %d',
  `a "b\\nc" "" ''`,
]

test.each(simple)('shellWords() splits %s as a shell does', (command) => {
  const words = shellWords(command)
  const shell = execFileSync('/bin/sh', ['-c', `for word in ${command}; do printf '%s\\0' "$word"; done`])
  expect(words).toEqual(shell.toString().split('\0').slice(0, -1))
})

test.each([
  'echo $PORT',
  'echo "${PORT}"',
  'a && b',
  'a | b',
  'a; b',
  'ls *.js',
  'A=1 b',
  'cd x',
  'exec redis-server',
  'echo `date`',
  'a > b',
  "a 'open",
  'a\nb',
  '# nothing',
  '',
])('shellWords() leaves %s to a shell', (command) => {
  expect(shellWords(command)).toBeNull()
})
