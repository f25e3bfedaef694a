import { expect, test } from 'vitest'
import { mayStart } from './may-start.ts'
import type { HostRoute } from './route-table.ts'

const routeTo = (service: string): HostRoute => ({
  rules: [{ prefix: '/', service, stripPrefix: false }],
  redirectTo: null,
})
const table = {
  hosts: {
    'web.shop.localhost': routeTo('p1/web'),
    'api.shop.localhost': routeTo('p1/api'),
    '*.pages.shop.localhost': routeTo('p1/pages'),
    'shop.co.uk': routeTo('p1/web'),
    'blog.localhost': routeTo('p2/web'),
    'mail.localhost': routeTo('/mail.localhost'),
    'other.localhost': routeTo('/other.localhost'),
  },
}
const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }
const page = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const image = { accept: 'image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5' }

test.each([
  ['typed into the address bar', { 'sec-fetch-site': 'none' }, true],
  ['the app itself', { 'sec-fetch-site': 'same-origin' }, true],
  ['another service of the project', { 'sec-fetch-site': 'same-site', origin: 'http://api.shop.localhost' }, true],
  ['a link of another site', { 'sec-fetch-site': 'cross-site' }, false],
  ['something that is to come', { 'sec-fetch-site': 'other' }, false],
  ['curl', { 'user-agent': 'curl/8.14.1', accept: '*/*' }, true],
  ['a program that says nothing of itself', {}, true],
  ['the origin of another site', { origin: 'https://evil.example' }, false],
  ['no origin that can be told', { origin: 'null' }, false],
  ['a link of another site, without more', { referer: 'https://evil.example/page' }, false],
  ['another local project', { origin: 'http://blog.localhost:8080' }, false],
  ['an alias', { origin: 'http://mail.localhost:8080' }, false],
  ['a bare localhost', { referer: 'http://localhost:3000/' }, false],
  ['its own page, without more', { referer: 'http://web.shop.localhost:8080/' }, true],
  ['a sibling, without more', { origin: 'http://api.shop.localhost:8080' }, true],
  ['a sibling in another domain', { origin: 'http://shop.co.uk' }, true],
  ['a sibling by a name of many', { origin: 'http://one.pages.shop.localhost' }, true],
  ['a neighbour that nobody has', { origin: 'http://evil.shop.localhost' }, false],
  ['a neighbour in a domain of two labels', { origin: 'http://evil.co.uk' }, false],
  ['what only looks like a sibling', { origin: 'http://shop.localhost.evil.example' }, false],
  ['a page that is looked at, from nobody knows where', { ...browser, ...page }, true],
  ['an image, of nobody knows what page', { ...browser, ...image }, false],
  ['a script, of nobody knows what page', { ...browser, accept: '*/*' }, false],
  ['an image of its own page', { ...browser, ...image, referer: 'http://web.shop.localhost/' }, true],
] as const)('what starts a service: %s', (_name, headers, expected) => {
  expect(mayStart({ host: 'web.shop.localhost', headers, table })).toBe(expected)
})

test('two aliases are no siblings, and one is that of itself', () => {
  const starts = (from: string): boolean =>
    mayStart({ host: 'mail.localhost', headers: { origin: `http://${from}` }, table })
  expect([starts('other.localhost'), starts('mail.localhost')]).toEqual([false, true])
})
