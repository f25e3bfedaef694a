// Which form of a notice a client can make use of, and whether a person is looking.

/** Headers by lower-case name, as of node:http and node:http2. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | number | undefined>>

export type NoticeFormat = 'html' | 'json' | 'text'

/**
 * Whether a person asked for a page that is shown as a whole: it can be given another page, which looks again by itself.
 * Not so for frames (the page may not be framed), and not for forms that were sent.
 */
export function isNavigation(method: string, headers: RequestHeaders): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const mode = headerOf(headers, 'sec-fetch-mode')
  // Browsers send these only over connections they trust: not for http://shop.test.
  if (mode === '') return /\btext\/html\b/iu.test(headerOf(headers, 'accept')) && !isScripted(headers)
  return mode === 'navigate' && ['document', ''].includes(headerOf(headers, 'sec-fetch-dest'))
}

/** HTML for those who navigate, else what they say they accept; JSON for scripts that do not say, and plain text for all others. */
export function preferredFormat(method: string, headers: RequestHeaders): NoticeFormat {
  if (isNavigation(method, headers)) return 'html'
  const weights = parseAccept(headerOf(headers, 'accept'))
  const html = weightOf(weights, 'text/html')
  const json = Math.max(weightOf(weights, 'application/json'), weightOf(weights, 'application/problem+json'))
  const text = weightOf(weights, 'text/plain')
  const best = Math.max(html, json, text)
  // A page for what a script asked for is no use to anybody but where nothing else is wanted.
  if (best > 0) return json === best ? 'json' : text === best ? 'text' : 'html'
  return isScripted(headers) ? 'json' : 'text'
}

/** A script of a page asked for it. */
function isScripted(headers: RequestHeaders): boolean {
  const mode = headerOf(headers, 'sec-fetch-mode')
  if (/xmlhttprequest/iu.test(headerOf(headers, 'x-requested-with'))) return true
  return (mode === 'cors' || mode === 'same-origin') && headerOf(headers, 'sec-fetch-dest') === 'empty'
}

/** Weights by media type that is named, or a whole family (`text/*`) of which at least one is. `*``/*` says nothing. */
function parseAccept(accept: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const part of accept.slice(0, 1000).split(',')) {
    const [type = '', ...parameters] = part.trim().toLowerCase().split(';')
    const quality = parameters.map((one) => /^\s*q\s*=\s*([\d.]+)\s*$/u.exec(one)?.[1]).find((one) => one !== undefined)
    const weight = Number(quality ?? 1)
    if (type.trim() !== '' && Number.isFinite(weight)) weights.set(type.trim(), weight)
  }
  return weights
}

function weightOf(weights: ReadonlyMap<string, number>, type: string): number {
  return weights.get(type) ?? weights.get(`${type.split('/', 1)[0]}/*`) ?? 0
}

/** The value of a header, several of one name joined; empty: there is none. */
export function headerOf(headers: RequestHeaders, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : String(value ?? '')
}
