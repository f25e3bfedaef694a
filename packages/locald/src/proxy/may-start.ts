// Whether a request is one that starts a service. Any page of the internet can make a browser send requests to a local
// address: only what the user asked for may start a stack.
import { headerOf } from './pages/preferred-format.ts'
import type { RequestHeaders } from './pages/preferred-format.ts'
import { hostNameOf, routeOf } from './route-table.ts'
import type { RouteTable } from './route-table.ts'

/** A request, as far as it tells where it is from. */
export interface RequestOrigin {
  /** Lower case, without port. */
  readonly host: string
  readonly headers: RequestHeaders
  readonly table: Pick<RouteTable, 'hosts'>
}

/**
 * True for what was typed into the address bar, for what a page of the same project asks for, and for what no browser sent.
 * A link, form, image or script of another site starts nothing. Over a connection that it does not trust, such as to
 * http://shop.test, a browser may tell nothing at all: then only what is looked at as a whole starts anything. Pure.
 */
export function mayStart(request: RequestOrigin): boolean {
  return !isFromElsewhere(request) && !isPartOfSomePage(request.headers)
}

/** Whether a page of another site is known to have made it. Pure. */
export function isFromElsewhere({ host, headers, table }: RequestOrigin): boolean {
  const site = headerOf(headers, 'sec-fetch-site')
  if (site !== '') return !['none', 'same-origin', 'same-site'].includes(site)
  const from = placeOf(headers)
  return from !== '' && !isSameProject(table, host, from)
}

/** A browser's, for an image, a script or the like, and it does not say of which page. */
function isPartOfSomePage(headers: RequestHeaders): boolean {
  if (headerOf(headers, 'sec-fetch-site') !== '' || placeOf(headers) !== '') return false
  const isBrowser = headerOf(headers, 'user-agent').startsWith('Mozilla/')
  return isBrowser && !/\btext\/html\b/iu.test(headerOf(headers, 'accept'))
}

function placeOf(headers: RequestHeaders): string {
  return headerOf(headers, 'origin') || headerOf(headers, 'referer')
}

/** Names alone tell little of whose they are: evil.co.uk is no sibling of shop.co.uk. The table knows them all. */
function isSameProject(table: RequestOrigin['table'], host: string, address: string): boolean {
  const from = URL.canParse(address) ? hostNameOf(new URL(address).host) : null
  if (from === null) return false
  return from === host || (projectOf(table, from) ?? from) === projectOf(table, host)
}

/** Null: nobody has the name. Of an alias, the name itself. */
function projectOf(table: RequestOrigin['table'], host: string): string | null {
  const key = routeOf(table, host)?.rules[0]?.service
  if (key === undefined) return null
  const slash = key.indexOf('/')
  return slash > 0 ? key.slice(0, slash) : key
}
