// Whether a request is one that starts a service. Any page of the internet can make a browser send requests to a local
// address: only what the user asked for may start a stack.
import { headerOf } from './pages/preferred-format.ts'
import type { RequestHeaders } from './pages/preferred-format.ts'

/**
 * True for what was typed into the address bar, for what a page of the same site asks for, and for what no browser sent.
 * A link, form, image or script of another site starts nothing. `host`: that of the request, without its port. Pure.
 */
export function mayStart(host: string, headers: RequestHeaders): boolean {
  const site = headerOf(headers, 'sec-fetch-site')
  if (site !== '') return ['none', 'same-origin', 'same-site'].includes(site)
  // Over a connection that it does not trust, such as to http://shop.test, a browser tells only where the page is from.
  const from = headerOf(headers, 'origin') || headerOf(headers, 'referer')
  return from === '' || isSameSite(host, from)
}

/** As browsers tell sites apart where every name's last label is a suffix of its own: by the last two labels. */
function isSameSite(host: string, address: string): boolean {
  const from = URL.canParse(address) ? new URL(address).hostname : ''
  return from !== '' && siteOf(from) === siteOf(host)
}

function siteOf(host: string): string {
  return host.toLowerCase().split('.').slice(-2).join('.')
}
