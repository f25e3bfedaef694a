import { describe, expect, test } from 'vitest'
import { lastScreenful } from './terminal-replay.ts'

const screenful = (text: string, rows: number): string => lastScreenful(Buffer.from(text), rows).toString()

describe('lastScreenful()', () => {
  test('gives the last lines, the prompt that is not complete among them', () => {
    expect(screenful('one\r\ntwo\r\nthree\r\n>>> ', 3)).toBe('two\r\nthree\r\n>>> ')
    expect(screenful('one\r\ntwo\r\n', 1)).toBe('')
    expect(screenful('one\r\ntwo\r\n', 2)).toBe('two\r\n')
  })

  test('gives everything when there is less than a screenful', () => {
    expect(screenful('one\r\ntwo', 50)).toBe('one\r\ntwo')
    expect(screenful('', 50)).toBe('')
    expect(screenful('\n', 1)).toBe('')
  })

  test('keeps colours and cursor movement as they were written', () => {
    const text = '\x1b[31mred\x1b[0m \x1b[2Kagain\rü€\b\x1b[3D'
    expect(screenful(text, 10)).toBe(text)
  })

  test.each([
    ['the place of the cursor', '\x1b[6n'],
    ['what terminal it is', '\x1b[c'],
    ['its secondary attributes', '\x1b[>0c'],
    ['its version', '\x1b[>0q'],
    ['a mode', '\x1b[?2026$p'],
    ['its keyboard', '\x1b[?u'],
    ['its size', '\x1b[18t'],
    ['its colour', '\x1b]11;?\x07'],
    ['its colour, ended by ST', '\x1b]11;?\x1b\\'],
    ['its capabilities', '\x1bP+q544e\x1b\\'],
    ['who it is', '\x05'],
  ])('leaves out the question for %s', (_, question) => {
    expect(screenful(`before${question}after`, 10)).toBe('beforeafter')
  })

  test('leaves out titles and the clipboard', () => {
    expect(screenful('\x1b]0;title\x07a\x1b]52;c;aGk=\x07b', 10)).toBe('ab')
  })

  test('shows a program on the alternate screen from where it entered that', () => {
    const drawing = `\x1b[?1049h\x1b[H${'line\r\n'.repeat(100)}status`
    expect(screenful(`shell\r\n${drawing}`, 10)).toBe(drawing)
    expect(screenful(`shell\r\n${drawing}\x1b[?1049l\r\nat the shell`, 1)).toBe('at the shell')
  })

  test('does not take bytes of a character for a control', () => {
    // U+0085 and U+009B are single controls in latin1; here they are parts of characters.
    expect(screenful('\u{c5}\u{db}ś\u{1f41b}', 10)).toBe('\u{c5}\u{db}ś\u{1f41b}')
  })
})
