import { expect, test } from 'vitest'
import { openLine } from './open-line.ts'
import { styleFor } from './style.ts'

const addresses = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `http://a${n}`)

test.each([
  [1, 'Open  http://a0'],
  [6, 'Open  http://a0  http://a1  http://a2  http://a3  http://a4  http://a5'],
  [7, 'Open  http://a0  http://a1  http://a2  http://a3  http://a4  and 2 more'],
  [300, 'Open  http://a0  http://a1  http://a2  http://a3  http://a4  and 295 more'],
])('openLine() with %i addresses', (count, line) => {
  expect(openLine(addresses(count), styleFor(false))).toBe(line)
})

test('openLine() names an address once that replicas share', () => {
  const all = ['http://web', 'http://web', 'http://api', 'http://web']
  expect(openLine(all, styleFor(false))).toBe('Open  http://web  http://api')
})
