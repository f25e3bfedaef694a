import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { safeText, stripAnsi } from './terminal-text.ts'

const esc = '\u001b'

test.each([
  ['plain text', 'plain text', 'plain text'],
  [`${esc}[31mred${esc}[0m`, `${esc}[31mred${esc}[0m`, 'red'],
  [`${esc}[1;38;2;1;2;3mred`, `${esc}[1;38;2;1;2;3mred${esc}[0m`, 'red'],
  [`${esc}[31mred${esc}[m`, `${esc}[31mred${esc}[m`, 'red'],
  [`${esc}[0;0mplain`, `${esc}[0;0mplain`, 'plain'],
  [`${esc}[10mfont`, `${esc}[10mfont${esc}[0m`, 'font'],
  [`a${esc}[2Kb${esc}[1A${esc}[?25lc${esc}[2Jd`, 'abcd', 'abcd'],
  [`${esc}[>4;2mx`, 'x', 'x'],
  [`${esc}]0;a title\u0007text`, 'text', 'text'],
  [`${esc}]0;a title${esc}\\text`, 'text', 'text'],
  [`${esc}]52;c;c2VjcmV0\u0007text`, 'text', 'text'],
  [`${esc}]8;;https://example.com${esc}\\link${esc}]8;;${esc}\\!`, 'link!', 'link!'],
  [`${esc}P1$q${esc}\\x${esc}_apc${esc}\\y`, 'xy', 'xy'],
  [`${esc}(B${esc}7x${esc}8${esc}=${esc}c`, 'x', 'x'],
  ['\u009b2Jx\u009d0;title\u009cy\u0085z', 'xyz', 'xyz'],
  ['be\u0007ep\u0008 null\u0000\u007f', 'beep null', 'beep null'],
  ['tab\tstays', 'tab\tstays', 'tab\tstays'],
  [`cut ${esc}[3`, 'cut ', 'cut '],
  [`cut ${esc}`, 'cut ', 'cut '],
  [`cut ${esc}]0;title`, 'cut ', 'cut '],
  [`${esc}[3é`, 'é', 'é'],
  ['grüße 日本 🎉', 'grüße 日本 🎉', 'grüße 日本 🎉'],
])('of %j, safeText() leaves %j and stripAnsi() %j', (text, safe, stripped) => {
  expect(safeText(text)).toBe(safe)
  expect(stripAnsi(text)).toBe(stripped)
})

const anything = fc
  .array(fc.oneof(fc.constantFrom(esc, '[', ']', ';', '0', '8', 'm', '\\', '\u0007', '\u009b', '\n', 'x'), fc.string()))
  .map((parts) => parts.join(''))

test('stripAnsi() leaves no control character but tab and line feed, and what it leaves stays as it is', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const stripped = stripAnsi(text)
      // oxlint-disable-next-line no-control-regex -- control characters are the subject
      expect(stripped).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
      expect(stripAnsi(stripped)).toBe(stripped)
    }),
  )
})

test('safeText() differs from stripAnsi() by colours alone, and leaves none on', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const safe = safeText(text)
      expect(stripAnsi(safe)).toBe(stripAnsi(text))
      expect(safeText(safe)).toBe(safe)
      expect(safeText(`${safe}plain`)).toBe(`${safe}plain`)
    }),
  )
})

test('stripAnsi() treats each line by itself', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(stripAnsi(text)).toBe(text.split('\n').map(stripAnsi).join('\n'))
    }),
  )
})

test('safeText() takes time in proportion to the length, also of sequences that never end', () => {
  const started = performance.now()
  for (const part of [`${esc}]`, `${esc}[1;`, `${esc}[31m`, '\u009d', `${esc}P${esc}`]) safeText(part.repeat(200_000))
  expect(performance.now() - started).toBeLessThan(5000)
})
