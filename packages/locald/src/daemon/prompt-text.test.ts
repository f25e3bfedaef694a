import { expect, test } from 'vitest'
import { endsWithPrompt } from './prompt-text.ts'

test.each([
  'Password: ',
  'line\n> ',
  'Continue?\r\n',
  'Use another port? [Y/n]\n',
  'Remove it (yes/no):\n',
  '\u001b[1mSure?\u001b[0m\n\n',
])('%j asks', (text) => {
  expect(endsWithPrompt(text)).toBe(true)
})

test.each([
  '',
  '\n',
  'ready\n',
  '  ➜  press h + enter to show help\r\n',
  'Continue?\nyes\n',
  'Routes:\n',
  'GET /?a=b\n',
])('%j does not', (text) => {
  expect(endsWithPrompt(text)).toBe(false)
})
