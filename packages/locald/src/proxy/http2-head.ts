// The head of a request over HTTP/2, as one of HTTP/1.1 with the same meaning.
import { requestRole } from './field-roles.ts'
import { lengthOf, listOf } from './head-lines.ts'
import { mostFields } from './limits.ts'
import { chunked } from './message-body.ts'
import type { Refusal, RequestHead } from './request-head.ts'
import { hostNameOf } from './route-table.ts'

/** What would be read as the end of a line, or of the head, by whom it is sent on to. */
const breaking = /[\0-\x08\x0a-\x1f\x7f]/u // oxlint-disable-line no-control-regex
const targetForm = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/u

const refuse = (status: number, reason: string): Refusal => ({ status, reason })

/**
 * `raw`: names and values in turns, those with ":" included. `hasNoBody`: the request ended with its head. `makeKey`: makes
 * the key of a WebSocket's handshake, which HTTP/2 has none of.
 */
export function parseHttp2Head(
  raw: readonly string[],
  hasNoBody: boolean,
  makeKey: () => string,
): RequestHead | Refusal {
  let [method, target, authority, protocol, scheme] = ['', '', '', '', '']
  let host: string | null = null
  let cookie = ''
  let length: number | null = null
  let acceptsTrailers = false
  let hops: readonly string[] = []
  const fields: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    if (breaking.test(value)) return refuse(400, 'The value of a field has control characters')
    if (name.startsWith(':')) {
      if (name === ':method') method = value
      else if (name === ':path') target = value
      else if (name === ':authority') authority = value
      else if (name === ':protocol') protocol = value
      else if (name === ':scheme') scheme = value
      continue
    }
    // A browser splits its cookies; HTTP/1.1 has them in one field.
    if (name === 'cookie') {
      cookie = cookie === '' ? value : `${cookie}; ${value}`
      continue
    }
    switch (requestRole(name)) {
      case 'keep':
        fields.push(name, value)
        break
      case 'host':
        if (host !== null) return refuse(400, 'It has more than one "Host"')
        host = value
        break
      case 'content-length': {
        const one = lengthOf(value)
        if (one === null || (length !== null && length !== one)) return refuse(400, 'Its "Content-Length" is no number')
        length = one
        break
      }
      case 'te':
        acceptsTrailers = listOf(value).includes('trailers')
        break
      case 'hops':
        hops = listOf(value)
        break
      case 'connection':
      case 'transfer-encoding':
      case 'upgrade':
        return refuse(400, `HTTP/2 has no "${name}"`)
      case null:
        return refuse(400, 'The name of a field has characters that are not allowed')
      default:
    }
  }
  if (fields.length > 2 * mostFields) return refuse(431, `It has more than ${mostFields} header fields`)
  if (cookie !== '') fields.push('cookie', cookie)
  const isWebSocket = method === 'CONNECT' && protocol === 'websocket'
  if (protocol !== '' && !isWebSocket) return refuse(501, 'Of ":protocol" only "websocket" is understood')
  if (method === 'CONNECT' && !isWebSocket) {
    return refuse(405, 'This is no proxy for other hosts: "CONNECT" is not answered')
  }
  if (scheme !== 'http' && scheme !== 'https') return refuse(400, 'Its ":scheme" is not understood')
  if (authority === '') authority = host ?? ''
  if (host !== null && host.toLowerCase() !== authority.toLowerCase()) {
    return refuse(400, '"Host" and ":authority" name different hosts')
  }
  const hostName = hostNameOf(authority)
  if (hostName === null) return refuse(400, 'It has no ":authority", or no valid one')
  if (!targetForm.test(target)) return refuse(400, 'Its target is no path')
  if (!methodForm.test(method)) return refuse(400, 'Its method is none')
  const webSocketKey = isWebSocket ? makeKey() : null
  if (webSocketKey !== null) {
    if (fields.some((name, index) => index % 2 === 0 && name === 'sec-websocket-key')) {
      return refuse(400, 'A WebSocket over HTTP/2 has no key')
    }
    fields.push('sec-websocket-key', webSocketKey)
  }
  return {
    method: isWebSocket ? 'GET' : method,
    target,
    authority,
    host: hostName,
    fields,
    bodyLength: isWebSocket || hasNoBody ? 0 : (length ?? chunked),
    upgrade: isWebSocket ? 'websocket' : null,
    keepAlive: true,
    isHttp11: true,
    acceptsTrailers,
    hops,
    webSocketKey,
  }
}

const methodForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/u
