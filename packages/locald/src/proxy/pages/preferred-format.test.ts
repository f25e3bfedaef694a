import { expect, test } from 'vitest'
import { isNavigation, preferredFormat } from './preferred-format.ts'

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'
const navigate = { accept: browser, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

test.each([
  ['the address bar', 'GET', navigate, 'html'],
  ['the address bar, over a connection that is not trusted', 'GET', { accept: browser }, 'html'],
  ['curl', 'GET', { accept: '*/*' }, 'text'],
  ['a client that says nothing', 'GET', {}, 'text'],
  ['axios', 'GET', { accept: 'application/json, text/plain, */*' }, 'json'],
  ['fetch of a page', 'GET', { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, 'json'],
  ['jQuery', 'GET', { accept: '*/*', 'x-requested-with': 'XMLHttpRequest' }, 'json'],
  ['a client of problems', 'POST', { accept: 'application/problem+json' }, 'json'],
  ['one that prefers text', 'GET', { accept: 'application/json;q=0.5, text/plain;q=0.9' }, 'text'],
  ['one that refuses text', 'GET', { accept: 'text/plain;q=0, application/json' }, 'json'],
  ['an image', 'GET', { accept: 'image/avif,*/*', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 'text'],
  ['a form that was sent', 'POST', navigate, 'html'],
  ['nonsense', 'GET', { accept: ';;q=x,,;q=1' }, 'text'],
] as const)('%s gets its form', (_name, method, headers, format) => {
  expect(preferredFormat(method, headers)).toBe(format)
})

test.each([
  ['the address bar', 'GET', navigate, true],
  ['HEAD', 'HEAD', navigate, true],
  ['a browser that tells no mode', 'GET', { accept: browser }, true],
  ['a form that was sent', 'POST', navigate, false],
  ['a frame, since pages may not be framed', 'GET', { ...navigate, 'sec-fetch-dest': 'iframe' }, false],
  ['fetch', 'GET', { accept: browser, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, false],
  ['curl', 'GET', { accept: '*/*' }, false],
] as const)('whether somebody looks: %s', (_name, method, headers, expected) => {
  expect(isNavigation(method, headers)).toBe(expected)
})
