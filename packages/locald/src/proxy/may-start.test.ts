import { expect, test } from 'vitest'
import { mayStart } from './may-start.ts'

test.each([
  ['typed into the address bar', { 'sec-fetch-site': 'none' }, true],
  ['the app itself', { 'sec-fetch-site': 'same-origin' }, true],
  ['another service of the project', { 'sec-fetch-site': 'same-site', origin: 'http://api.shop.localhost' }, true],
  ['a link of another site', { 'sec-fetch-site': 'cross-site' }, false],
  ['something that is to come', { 'sec-fetch-site': 'other' }, false],
  ['curl', {}, true],
  ['the origin of another site', { origin: 'https://evil.example' }, false],
  ['no origin that can be told', { origin: 'null' }, false],
  ['a link of another site, without more', { referer: 'https://evil.example/page' }, false],
  ['another local project', { origin: 'http://blog.localhost:8080' }, false],
  ['a bare localhost', { referer: 'http://localhost:3000/' }, false],
  ['its own page, without more', { referer: 'http://web.shop.localhost:8080/' }, true],
  ['a sibling, without more', { origin: 'http://api.shop.localhost:8080' }, true],
  ['what only looks like a sibling', { origin: 'http://shop.localhost.evil.example' }, false],
] as const)('what starts a service: %s', (_name, headers, expected) => {
  expect(mayStart('web.shop.localhost', headers)).toBe(expected)
})
