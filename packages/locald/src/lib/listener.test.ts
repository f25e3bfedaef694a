import { describe, expect, test } from 'vitest'
import { addressText, servesLoopback } from './listener.ts'

function ipv6(...groups: readonly number[]): Uint8Array {
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]))
}

describe('addressText()', () => {
  test.each([
    [Uint8Array.of(127, 0, 0, 1), '127.0.0.1'],
    [ipv6(0, 0, 0, 0, 0, 0, 0, 0), '::'],
    [ipv6(0, 0, 0, 0, 0, 0, 0, 1), '::1'],
    [ipv6(0xfe80, 0, 0, 0, 1, 0, 0, 0xabc), 'fe80::1:0:0:abc'],
    [ipv6(1, 0, 3, 4, 5, 6, 7, 8), '1:0:3:4:5:6:7:8'],
    [ipv6(1, 2, 3, 4, 5, 6, 0, 0), '1:2:3:4:5:6::'],
  ])('writes %o as %s', (bytes, text) => {
    expect(addressText(bytes)).toBe(text)
  })
})

describe('servesLoopback()', () => {
  test.each(['0.0.0.0', '::', '127.0.0.1', '127.0.0.53', '::1', '::ffff:7f00:1', '::ffff:0:0'])(
    'is true of %s',
    (address) => {
      expect(servesLoopback(address)).toBe(true)
    },
  )
  test.each(['192.168.1.5', '172.17.0.1', 'fe80::1', '::ffff:c0a8:105'])('is false of %s', (address) => {
    expect(servesLoopback(address)).toBe(false)
  })
})
