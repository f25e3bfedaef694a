import { expect, test } from 'vitest'
import { noticeResponse } from './notice-response.ts'
import { loopNotice, refusedNotice, unknownHostNotice } from './refusal-notices.ts'
import { otherSiteNotice, serviceNotice, troubleNotice } from './service-notice.ts'
import { described, elsewhere, failed, starting, stopped, waiting } from './testing/descriptions.ts'

const now = Date.parse('2026-01-31T09:05:07Z')
const options = { nonce: 'bm9uY2U=', eventsPath: '/.locald/events?path=%2F', now }
const notices = {
  waiting: serviceNotice(waiting),
  starting: serviceNotice(starting),
  failed: serviceNotice(failed),
  elsewhere: serviceNotice(elsewhere),
  stopped: serviceNotice(stopped),
  'not answering': troubleNotice(described(), 'ended'),
  'asked by another site': otherSiteNotice(described({ state: 'idle' })),
  'unknown host': unknownHostNotice('shp.localhost'),
  loop: loopNotice('web', 'shop'),
  refused: refusedNotice(400, 'It has two Host headers'),
}

test.each(Object.entries(notices))('the page of %s is small, whole, and safe', (_name, notice) => {
  const { status, headers, body } = noticeResponse(notice, 'html', options)
  const html = body.toString()
  expect(status).toBe(notice.status)
  expect(body.length).toBeLessThan(10_000)
  expect(headers['content-length']).toBe(String(body.length))
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['content-security-policy']).toMatch(
    /^default-src 'none'; style-src 'nonce-bm9uY2U='; script-src 'nonce-bm9uY2U='; .*frame-ancestors 'none'$/u,
  )
  expect(html).not.toMatch(/ on[a-z]+=| style=|https?:\/\/(?!www\.w3\.org\/2000\/svg|localhost|127)/iu)
  for (const [, tag] of html.matchAll(/<(script|style)\b(?! nonce="bm9uY2U=")/gu)) expect(tag).toBeUndefined()
  expect(html.includes('http-equiv="refresh"')).toBe(notice.watch !== null)
  expect(html.includes('<script')).toBe(notice.watch !== null)
})

test('whatever a value holds, it is text', () => {
  const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;`
  const hostile = described({
    service: evil,
    project: evil,
    state: 'failed',
    summary: evil,
    evidence: evil,
    exit: { code: null, signal: evil, at: evil, reason: evil },
    chain: [
      { service: evil, state: 'waiting', reason: evil },
      { service: evil, state: 'failed', reason: evil },
    ],
    linesOf: evil,
    lines: [{ at: evil, text: `\u001b[31m${evil}` }],
    steps: [{ text: evil, command: evil }],
  })
  for (const notice of [
    serviceNotice(hostile),
    serviceNotice({ ...hostile, state: 'stopped' }),
    serviceNotice({ ...hostile, state: 'waiting' }),
    troubleNotice(hostile, 'refused'),
    otherSiteNotice(hostile),
    unknownHostNotice(evil),
    loopNotice(evil, evil),
    refusedNotice(400, evil),
  ]) {
    const html = noticeResponse(notice, 'html', {
      ...options,
      eventsPath: `/.locald/events?path=${evil}`,
    }).body.toString()
    expect(html).not.toContain('<script>')
    expect(html).not.toContain('<img')
    expect(html.match(/<script\b/gu)?.length ?? 0).toBe(notice.watch === null ? 0 : 1)
  }
})

test('who comes too early is told when to come back', () => {
  expect(noticeResponse(notices.starting, 'json', options).headers['retry-after']).toBe('2')
  expect(noticeResponse(notices.failed, 'json', options).headers['retry-after']).toBeUndefined()
})

test('programs get the details of the problem', () => {
  const { headers, body } = noticeResponse(notices.failed, 'json', options)
  expect(headers['content-type']).toBe('application/problem+json')
  const problem: unknown = JSON.parse(body.toString())
  expect(problem).toMatchObject({
    type: 'urn:locald:service-failed',
    title: 'web has failed',
    status: 502,
    detail: "Error: Cannot find module 'express'",
    service: 'web',
    project: 'shop',
    state: 'failed',
    exit: { code: 1 },
    port: 21_233,
    advice: [{ command: 'npm install' }, { command: 'locald up web' }],
  })
  expect(body.toString()).not.toContain(String.raw`\u001b`)
})

test('a terminal gets plain lines', () => {
  const text = noticeResponse(notices.failed, 'text', options).body.toString()
  expect(text).toMatch(/^web has failed: Error: Cannot find module 'express'\n\nExit code: 1\n/u)
  expect(text).toContain('Then start it again: locald up web\n')
  expect(text).not.toContain('\u001b')
})

test('an unknown host is told no name that is in use', () => {
  expect(noticeResponse(notices['unknown host'], 'text', options).body.toString()).not.toMatch(/shop/u)
})

test('endless lines are cut', () => {
  const lines = Array.from({ length: 500 }, () => ({ at: '', text: '\u001b[31m<'.repeat(10_000) }))
  expect(noticeResponse(serviceNotice({ ...failed, lines }), 'html', options).body.length).toBeLessThan(1_500_000)
})
