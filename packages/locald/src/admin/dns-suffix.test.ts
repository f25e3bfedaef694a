import { expect, test } from 'vitest'
import { judgeSuffix, ownSuffixOf } from './dns-suffix.ts'

test.each(['test', 'dev.test', 'internal', 'home.arpa', 'lan', 'example', 'invalid'])(
  "%s is nobody else's: all of it may lead here",
  (suffix) => {
    expect(judgeSuffix(suffix)).toEqual({ isGood: true, warning: null })
  },
)

test.each(['com', 'dev', 'co.uk', 'arpa', 'example.com', 'shop.example.com', 'mytest'])(
  '%s has names of others: it is refused, and the hosts file named',
  (suffix) => {
    expect(judgeSuffix(suffix)).toMatchObject({
      isGood: false,
      reason: expect.stringContaining(`every name below "${suffix}"`),
      hint: expect.stringContaining('locald admin sync-hosts'),
    })
  },
)

test.each(['localhost', '', '-', 'a b'])('%j is no suffix to ask for', (suffix) => {
  expect(judgeSuffix(suffix)).toMatchObject({ isGood: false, reason: `Cannot use "${suffix}" as a suffix of names` })
})

test('local is shared with the devices of the network, which is said', () => {
  expect(judgeSuffix('local')).toMatchObject({ isGood: true, warning: expect.stringContaining('mDNS') })
  expect(judgeSuffix('dev.local')).toMatchObject({ isGood: true, warning: expect.stringContaining('mDNS') })
})

test('a name tells the suffix to ask for, unless that is of the internet', () => {
  expect(['shop.test', 'a.b.internal', 'nas.home.arpa'].map(ownSuffixOf)).toEqual(['test', 'internal', 'home.arpa'])
  expect(['shop.example.com', 'shop.com', 'com'].map(ownSuffixOf)).toEqual([null, null, null])
})
