import { describe, expect, test } from 'vitest'
import { TerminalModes } from './terminal-modes.ts'

const always = '\x1b(B\x1b[0m'

function resetAfter(...chunks: readonly string[]): string {
  const modes = new TerminalModes()
  for (const chunk of chunks) modes.watch(Buffer.from(chunk))
  return modes.reset()
}

describe('TerminalModes', () => {
  test('changes nothing but colours where nothing was changed', () => {
    expect(resetAfter('plain \x1b[31mred\x1b[2J\x1b[5;5H')).toBe(always)
  })

  test('leaves the alternate screen, shows the cursor, ends mouse reports and bracketed paste', () => {
    const reset = resetAfter('\x1b[?1049h\x1b[?25l', '\x1b[?1000;1006h', '\x1b[?2004h')
    for (const part of ['\x1b[?1049l', '\x1b[?25h', '\x1b[?1000l', '\x1b[?1006l', '\x1b[?2004l']) {
      expect(reset).toContain(part)
    }
  })

  test('leaves alone what the program has put back itself', () => {
    expect(resetAfter('\x1b[?1049h\x1b[?25l work \x1b[?25h\x1b[?1049l')).toBe(always)
    expect(resetAfter('\x1b[?7h\x1b[?25h\x1b[?1000l')).toBe(always)
  })

  test('sees a sequence that is cut anywhere', () => {
    const sequence = '\x1b[?1049h'
    for (let cut = 1; cut < sequence.length; cut++) {
      expect(resetAfter(`a${sequence.slice(0, cut)}`, `${sequence.slice(cut)}b`)).toBe(`\x1b[?1049l${always}`)
    }
  })

  test('counts a sequence at the end of a chunk once', () => {
    expect(resetAfter('\x1b[>1u', '\x1b[>1u', 'x')).toBe(`\x1b[<2u${always}`)
    expect(resetAfter('\x1b[>1u', '\x1b[<u')).toBe(always)
  })

  test('undoes margins, keypad, cursor shape, insert mode and reported keys', () => {
    const reset = resetAfter('\x1b[5;20r\x1b=\x1b[5 q\x1b[4h\x1b[>4;2m')
    for (const part of ['\x1b7\x1b[r\x1b8', '\x1b>', '\x1b[0 q', '\x1b[4l', '\x1b[>4;0m']) expect(reset).toContain(part)
    expect(resetAfter('\x1b[5;20r\x1b=\x1b[5 q\x1b[4h\x1b[>4;2m', '\x1b[r\x1b>\x1b[0 q\x1b[4l\x1b[>4m')).toBe(always)
  })

  test('a full reset of the terminal undoes everything', () => {
    expect(resetAfter('\x1b[?1049h\x1b[?25l\x1b=\x1bc')).toBe(always)
  })

  test('has nothing to undo after a reset', () => {
    const modes = new TerminalModes()
    modes.watch(Buffer.from('\x1b[?1049h'))
    modes.reset()
    expect(modes.reset()).toBe(always)
  })
})
