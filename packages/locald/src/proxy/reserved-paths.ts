// What the proxy serves below `/.locald/` of every name: what its own pages, and those of sites, need.
import { eventsHeaders, reservedPrefix, watchedPath } from './pages/notice-events.ts'
import type { LocalAnswer } from './local-answer.ts'
import { reloadScript } from './site-server.ts'

export { reservedPrefix } from './pages/notice-events.ts'

export type Reserved =
  | { readonly type: 'answer'; readonly answer: LocalAnswer }
  /** A stream of events about the service that this path is for: what its page says, or changes of its files. */
  | { readonly type: 'page-events' | 'reload-events'; readonly path: string }

/** Null: there is nothing by this name. `target`: path and query as they were sent. */
export function reservedFor(target: string): Reserved | null {
  const watched = watchedPath(target)
  if (watched !== null) return { type: 'page-events', path: watched }
  const [path, query = ''] = target.split('?', 2)
  if (path === `${reservedPrefix}reload`) {
    const place = new URLSearchParams(query).get('path') ?? '/'
    return { type: 'reload-events', path: place.startsWith('/') ? place : '/' }
  }
  if (path !== `${reservedPrefix}reload.js`) return null
  const fields = ['content-type', 'text/javascript; charset=utf-8', 'cache-control', 'no-cache']
  return { type: 'answer', answer: { status: 200, fields, body: Buffer.from(reloadScript) } }
}

/** The fields of an answer that is a stream of events, name and value in turns. */
export const eventsFields: readonly string[] = Object.entries(eventsHeaders).flat()
