// What keeps an open page up to date: server-sent events below the reserved path of a service's own address.
import { mainHtml, pageTitle } from './notice-html.ts'
import type { Notice } from './notice.ts'

/** Paths that are never a service's. */
export const reservedPrefix = '/.locald/'

const eventsEndpoint = `${reservedPrefix}events`

/** Where the page that stands in for `path` hears of changes: the same routes decide whose they are. */
export function eventsPath(path: string): string {
  return `${eventsEndpoint}?path=${encodeURIComponent(path)}`
}

/** The path that a request for events is about; null: it is not one. `target`: path and query as they were sent. */
export function watchedPath(target: string): string | null {
  const [path, query = ''] = target.split('?', 2)
  if (path !== eventsEndpoint) return null
  const watched = new URLSearchParams(query).get('path') ?? '/'
  return watched.startsWith('/') ? watched : '/'
}

/** Answers a request for events, before the first of them. */
export const eventsHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
}

/** What the page shows from now on. Pure; the same text for the same notice, so that only changes need be sent. */
export function pageEvent(notice: Notice): string {
  const main = mainHtml(notice, notice.since === null ? 0 : Date.parse(notice.since))
  return `event: page\ndata: ${JSON.stringify({ title: pageTitle(notice), main })}\n\n`
}

/** A request would go through now. */
export const readyEvent = 'event: ready\ndata: {}\n\n'

/** Keeps the connection open where nothing changes, and finds out when nobody is there any more. */
export const idleEvent = ':\n\n'
