import { expect, test } from 'vitest'
import { eventsHeaders, eventsPath, idleEvent, pageEvent, readyEvent, watchedPath } from './notice-events.ts'
import { serviceNotice } from './service-notice.ts'
import { failed, waiting } from './testing/descriptions.ts'

test.each(['/', '/api/x?y=1&z', '/a%2Fb', '/é'])('a page of %s is watched under its own path', (path) => {
  expect(watchedPath(eventsPath(path))).toBe(path)
})

test('nothing else is watched', () => {
  expect(watchedPath('/')).toBeNull()
  expect(watchedPath('/.locald/other')).toBeNull()
  expect(watchedPath('/.locald/events?path=//evil.example')).toBe('//evil.example') // a path like any other
  expect(watchedPath('/.locald/events')).toBe('/')
})

test('an event is one line of JSON, the same for the same notice', () => {
  const event = pageEvent(serviceNotice(failed))
  const [, data = ''] = /^event: page\ndata: (.*)\n\n$/u.exec(event) ?? []
  expect(JSON.parse(data)).toMatchObject({ title: 'web has failed · shop' })
  expect(pageEvent(serviceNotice(waiting))).toBe(pageEvent(serviceNotice(waiting)))
})

test('a stream is one of events, each ended', () => {
  expect(eventsHeaders['content-type']).toBe('text/event-stream')
  expect(readyEvent).toMatch(/^event: ready\ndata: .*\n\n$/u)
  expect(idleEvent).toMatch(/^:.*\n\n$/u)
})
