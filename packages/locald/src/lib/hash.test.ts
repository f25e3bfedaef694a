import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashBelow, hashOf } from './hash.ts'
import type { Hashable } from './hash.ts'

test('hashOf() does not depend on the order of keys, at any depth', () => {
  expect(hashOf({ a: [{ x: 1, y: 2 }], b: null })).toBe(hashOf({ b: null, a: [{ y: 2, x: 1 }] }))
})

test('hashOf() depends on the order of a list', () => {
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]))
})

test('hashOf() takes an undefined member for an absent one', () => {
  expect(hashOf({ a: 1, b: undefined })).toBe(hashOf({ a: 1 }))
})

test('hashOf() stays the same from release to release', () => {
  // A change here restarts every service of every user after an upgrade.
  expect(hashOf({ command: 'npm start', port: 3000 })).toBe(
    '062897dc118afc7ec9e258da14c30fbabf0392ad6b8f5a7cbe2704b9bc6b7083',
  )
})

test('hashOf() tells different values apart', () => {
  const json = fc.jsonValue() as fc.Arbitrary<Hashable>
  fc.assert(
    fc.property(json, json, (a, b) => {
      // -0 and 0 are one number in JSON.
      const equal = JSON.stringify(sortKeys(a)) === JSON.stringify(sortKeys(b))
      return (hashOf(a) === hashOf(b)) === equal
    }),
  )
})

test('hashBelow() stays below its limit and uses the whole range', () => {
  const numbers = Array.from({ length: 2000 }, (_, index) => hashBelow(`service-${index}`, 100))
  expect(Math.max(...numbers)).toBe(99)
  expect(Math.min(...numbers)).toBe(0)
  expect(new Set(numbers).size).toBe(100)
})

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => sortKeys(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, sortKeys(item)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}
