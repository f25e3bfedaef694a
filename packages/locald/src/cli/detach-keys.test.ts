import { describe, expect, test } from 'vitest'
import { DetachKeys, holdMs, isTerminalReply } from './detach-keys.ts'

/** What passes of each chunk, and whether they detach. */
function typed(...chunks: readonly string[]): readonly (readonly [string, boolean])[] {
  const keys = new DetachKeys()
  return chunks.map((chunk, index) => {
    const { pass, detach } = keys.take(Buffer.from(chunk), index)
    return [pass.toString(), detach]
  })
}

describe('DetachKeys', () => {
  test('Ctrl-P Ctrl-Q detaches, together or one after the other, and neither passes', () => {
    expect(typed('\x10\x11')).toEqual([['', true]])
    expect(typed('\x10', '\x11')).toEqual([
      ['', false],
      ['', true],
    ])
    expect(typed('abc\x10\x11def')).toEqual([['abc', true]])
  })

  test('a lone Ctrl-P passes with the next key', () => {
    expect(typed('a\x10', 'b')).toEqual([
      ['a', false],
      ['\x10b', false],
    ])
    expect(typed('\x10', '\x10', '\x11')).toEqual([
      ['', false],
      ['\x10', false],
      ['', true],
    ])
  })

  test('a lone Ctrl-Q passes', () => {
    expect(typed('\x11', 'a\x11')).toEqual([
      ['\x11', false],
      ['a\x11', false],
    ])
  })

  test('Ctrl-P passes when it is released, once, and a Ctrl-Q soon after still detaches', () => {
    const keys = new DetachKeys()
    keys.take(Buffer.from('\x10'), 0)
    expect(keys.isHolding).toBe(true)
    expect(keys.release(holdMs).toString()).toBe('\x10')
    expect(keys.isHolding).toBe(false)
    expect(keys.release(holdMs).toString()).toBe('')
    expect(keys.take(Buffer.from('\x11'), holdMs + 500)).toMatchObject({ detach: true })
  })

  test('a Ctrl-Q long after a Ctrl-P, or after another key, is a key like any other', () => {
    const keys = new DetachKeys()
    keys.take(Buffer.from('\x10'), 0)
    keys.release(holdMs)
    expect(keys.take(Buffer.from('\x11'), holdMs + 5000)).toEqual({ pass: Buffer.from('\x11'), detach: false })
    keys.take(Buffer.from('\x10'), 6000)
    keys.release(6300)
    keys.take(Buffer.from('a'), 6400)
    expect(keys.take(Buffer.from('\x11'), 6500).detach).toBe(false)
  })

  test.each([
    ['the kitty keyboard protocol', '\x1b[112;5u\x1b[113;5u'],
    ['modifyOtherKeys', '\x1b[27;5;112~\x1b[27;5;113~'],
  ])('knows the keys in the words of %s', (_, text) => {
    expect(typed(text)).toEqual([['', true]])
  })

  test('passes any bytes unchanged', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x10))
    expect(new DetachKeys().take(bytes, 0).pass).toEqual(bytes)
    expect(typed('größer €')).toEqual([['größer €', false]])
  })
})

describe('isTerminalReply()', () => {
  test.each([
    '\x1b[12;40R',
    '\x1b[?62;4c',
    '\x1b[>0;276;0c',
    '\x1b[0n',
    '\x1b[?2026;2$y',
    '\x1b[?1u',
    '\x1b]11;rgb:0000/0000/0000\x1b\\',
    '\x1bP>|xterm(390)\x1b\\',
    '\x1b[I',
    '\x1b[1;1R\x1b[?62c',
  ])('knows %j as said by the terminal', (text) => {
    expect(isTerminalReply(Buffer.from(text))).toBe(true)
  })

  test.each([
    'a',
    '\x1b',
    '\x1b[A',
    '\x1b[1;5C',
    '\x1bOP',
    '\x1b[200~pasted\x1b[201~',
    '\x1b[97;5u',
    '\x1b[<0;3;4M',
    '\x1b[12;40Rx',
    '',
  ])('takes %j for typed', (text) => {
    expect(isTerminalReply(Buffer.from(text))).toBe(false)
  })
})
