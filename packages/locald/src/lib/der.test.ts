import { expect, test } from 'vitest'
import { der, readDer } from './der.ts'

test.each([0, 1, 127, 128, 255, 256, 70_000])(
  'readDer() reads what der() wrote, with %d bytes of content',
  (length) => {
    const content = Buffer.alloc(length, 7)
    expect(readDer(Buffer.concat([der(0x04, content), der(0x05)]))).toEqual([
      { tag: 0x04, content },
      { tag: 0x05, content: Buffer.alloc(0) },
    ])
  },
)

test('der() writes lengths as short as they can be', () => {
  expect(der(0x30, Buffer.alloc(127)).subarray(0, 2)).toEqual(Buffer.from([0x30, 0x7f]))
  expect(der(0x30, Buffer.alloc(128)).subarray(0, 3)).toEqual(Buffer.from([0x30, 0x81, 0x80]))
})

test.each(['30', '3003', '30030000', '3085'])('readDer() throws on %s, which is cut off', (hex) => {
  expect(() => readDer(Buffer.from(hex, 'hex'))).toThrow(RangeError)
})
