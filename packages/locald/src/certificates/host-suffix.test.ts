import { expect, test } from 'vitest'
import { isBelow, normalHost, suffixesFor, suffixFor, widest } from './host-suffix.ts'

test.each([
  ['Web.Shop.LOCALHOST', 'web.shop.localhost'],
  ['shop.localhost.', 'shop.localhost'],
  ['xn--bcher-kva.test', 'xn--bcher-kva.test'],
])('normalHost() takes %s as %s', (name, host) => {
  expect(normalHost(name)).toBe(host)
})

test.each([
  '',
  '.',
  'a..b',
  '-a.localhost',
  'a-.localhost',
  '*.localhost',
  '127.0.0.1',
  '::1',
  'a b',
  'a/b',
  'bücher.test',
  'a.localhost..',
  `${'a'.repeat(64)}.localhost`,
  `${'a.'.repeat(126)}localhost`,
  'a\0.localhost',
])('normalHost() refuses %j', (name) => {
  // prettier-ignore
  expect(normalHost(name)).toBeNull()
})

test('isBelow() compares whole labels', () => {
  expect(isBelow('localhost', 'localhost')).toBe(true)
  expect(isBelow('web.localhost', 'localhost')).toBe(true)
  expect(isBelow('evillocalhost', 'localhost')).toBe(false)
  expect(isBelow('localhost.example.com', 'localhost')).toBe(false)
})

test('suffixFor() limits to a private ending, and never to more than a domain that exists', () => {
  expect(suffixFor('shop.localhost')).toBe('localhost')
  expect(suffixFor('test')).toBe('test')
  expect(suffixFor('nas.home.arpa')).toBe('home.arpa')
  expect(suffixFor('arpa')).toBe('arpa')
  expect(suffixFor('shop.example.com')).toBe('shop.example.com')
  expect(suffixFor('bbc.co.uk')).toBe('bbc.co.uk')
})

test('widest() leaves out what others cover', () => {
  expect(widest(['b.test', 'localhost', 'test', 'test', 'a.example.com'])).toEqual([
    'a.example.com',
    'localhost',
    'test',
  ])
})

test('suffixesFor() finds what covers all names in use', () => {
  expect(suffixesFor([])).toEqual(['localhost'])
  expect(
    suffixesFor(['web.shop.localhost', '*.shop.test', 'api.shop.example.com', 'shop.example.com', '127.0.0.1']),
  ).toEqual(['localhost', 'shop.example.com', 'test'])
})
