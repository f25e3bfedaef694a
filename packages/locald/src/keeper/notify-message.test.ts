import { assert, property, uint8Array } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeNotifyFields, parseNotifyMessage } from './notify-message.ts'

const parse = (text: string): unknown => parseNotifyMessage(Buffer.from(text))

describe('parseNotifyMessage()', () => {
  test.each([
    ['READY=1', { READY: '1' }],
    ['READY=1\n', { READY: '1' }],
    ['READY=1\0', { READY: '1' }],
    ['STATUS=Loading\nREADY=1', { STATUS: 'Loading', READY: '1' }],
    ['READY=1\nSTATUS=Serving\nMAINPID=42\n', { READY: '1', STATUS: 'Serving', MAINPID: '42' }],
    ['RELOADING=1\nMONOTONIC_USEC=123', { RELOADING: '1', MONOTONIC_USEC: '123' }],
    ['STATUS=a=b', { STATUS: 'a=b' }],
    ['STATUS=', { STATUS: '' }],
    ['\n\nno assignment\nREADY=1', { READY: '1' }],
    ['X_VENDOR=yes', { X_VENDOR: 'yes' }],
    ['__proto__=1\nREADY=1', { READY: '1' }],
    ['STATUS=für', { STATUS: 'für' }],
  ])('reads %j', (text, fields) => {
    expect(parse(text)).toEqual(fields)
  })

  test.each(['', '\n', 'READY', '=1', 'ready', 'READY=1\0STATUS=x', '\0'])('finds nothing in %j', (text) => {
    expect(parse(text)).toBeNull()
  })

  test('takes the last value of a name, in the place of the last', () => {
    const fields = parseNotifyMessage(Buffer.from('STATUS=a\nREADY=1\nSTATUS=b'))
    expect(Object.entries(fields ?? {})).toEqual([
      ['READY', '1'],
      ['STATUS', 'b'],
    ])
  })

  test('survives any bytes, and holds at most 32 names', () => {
    assert(
      property(uint8Array({ maxLength: 4096 }), (bytes) => {
        const fields = parseNotifyMessage(Buffer.from(bytes))
        expect(Object.keys(fields ?? {}).length).toBeLessThanOrEqual(32)
      }),
    )
    const many = Array.from({ length: 500 }, (_, index) => `N${index}=1`).join('\n')
    expect(Object.keys(parseNotifyMessage(Buffer.from(many)) ?? {})).toHaveLength(32)
  })
})

describe('mergeNotifyFields()', () => {
  test('keeps what was said before, and lets the later word win', () => {
    const merged = mergeNotifyFields({ READY: '1', STATUS: 'a' }, { RELOADING: '1', STATUS: 'b' })
    expect(Object.entries(merged)).toEqual([
      ['READY', '1'],
      ['RELOADING', '1'],
      ['STATUS', 'b'],
    ])
  })
})
