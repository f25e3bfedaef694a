import { expect, test } from 'vitest'
import { requiredText } from './required-text.ts'

test.each<[RegExp, string | null]>([
  [/error/u, 'error'],
  [/status=500/u, 'status=500'],
  [/a.*bcd/u, 'bcd'],
  [/abc?/u, 'ab'],
  [/abc*d/u, 'ab'],
  [/abc{0,2}/u, 'ab'],
  [/ab+c/u, 'ab'],
  [/a\.b/u, 'a.b'],
  [/^GET \/api\/items$/u, 'GET /api/items'],
  [/x(abc)y/u, 'x'],
  [/(abc)?yz/u, 'yz'],
  [/a|b/u, null],
  [/(a|b)cd/u, null],
  [/error/iu, null],
  [/[abc]de/u, 'de'],
  [/[)(]de/u, 'de'],
  [/\d+ms took/u, 'ms took'],
  [/\bword\b/u, 'word'],
  [/\u0041bc/u, 'bc'],
  [/\x41bc/u, 'bc'],
  [/\u{41}bc/u, 'bc'],
  [/\p{L}x/u, 'x'],
  [/(?<n>a)\k<n>b/u, 'b'],
  [/(a)\1bc/u, 'bc'],
  [/\cAbc/u, 'bc'],
  [/é/u, null],
  [/.*/u, null],
  [/(\))ab/u, 'ab'],
  [/((a)b)(?:c[)]d)ef/u, 'ef'],
  [/a{2}b/u, 'a'],
  [/ab+?c/u, 'ab'],
  [/(?:)/u, null],
])('requiredText() of %s is %j', (expression, text) => {
  expect(requiredText(expression)).toBe(text)
})
