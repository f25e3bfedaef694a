// A request's head: what it asks, for whom, and how its body is framed.
import { requestRole } from './field-roles.ts'
import { eachField, isAmbiguous, lengthOf, listOf, withoutFields } from './head-lines.ts'
import { mostFields } from './limits.ts'
import { chunked } from './message-body.ts'
import type { BodyLength } from './message-body.ts'
import { hostNameOf } from './route-table.ts'

export interface RequestHead {
  readonly method: string
  /** The bytes of path and query as they came, as latin1. */
  readonly target: string
  /** `Host` or `:authority` as it came. */
  readonly authority: string
  /** Lower case, without port. */
  readonly host: string
  /** What is passed on, name and value in turns. */
  readonly fields: readonly string[]
  readonly bodyLength: BodyLength
  /** A protocol that is asked for in place of HTTP, as it came. */
  readonly upgrade: string | null
  /** The connection is to be used again. HTTP/1.0: never. */
  readonly keepAlive: boolean
  /** It understands chunks and informational answers. */
  readonly isHttp11: boolean
  readonly acceptsTrailers: boolean
  /** Services it came by already. */
  readonly hops: readonly string[]
  /** Only over HTTP/2: the key that was made up for a WebSocket's handshake. */
  readonly webSocketKey: string | null
}

/** Why a request is not passed on: a sentence without a full stop. */
export interface Refusal {
  readonly status: number
  readonly reason: string
}

export function isRefusal(head: RequestHead | Refusal): head is Refusal {
  return 'reason' in head
}

/** The head's text, latin1, without the empty line. Never throws. */
export function parseRequestHead(text: string): RequestHead | Refusal {
  if (isAmbiguous(text)) return refusals.lines
  const firstEnd = text.indexOf('\r\n')
  const line = firstEnd === -1 ? text : text.slice(0, firstEnd)
  const parts = requestLine.exec(line)
  if (parts === null) return otherVersion.test(line) ? refusals.version : refusals.requestLine
  const [, method = '', rawTarget = '', minor] = parts
  const facts = new RequestFacts()
  if (firstEnd !== -1 && !eachField(text, firstEnd + 2, facts.take)) return facts.refusal ?? refusals.field
  return facts.headOf(method, rawTarget, minor === '1')
}

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/u
const otherVersion = /^[A-Za-z]+ [^ ]+ HTTP\/(?!1\.[01]$)[0-9.]+$/u

const refuse = (status: number, reason: string): Refusal => ({ status, reason })

const refusals = {
  lines: refuse(400, 'Its head has control characters, or lines that do not end with CR LF'),
  requestLine: refuse(400, 'Its first line is not that of a request'),
  version: refuse(505, 'Only HTTP/1.0, HTTP/1.1 and HTTP/2 are understood'),
  field: refuse(400, 'A line of its head is not a header field'),
  fields: refuse(431, `It has more than ${mostFields} header fields`),
  host: refuse(400, 'It has no "Host", or no valid one'),
  hosts: refuse(400, 'It has more than one "Host"'),
  otherHost: refuse(400, 'Its target names another host than "Host"'),
  lengths: refuse(400, 'Its "Content-Length" is no number, or not always the same'),
  framing: refuse(400, 'It has both "Content-Length" and "Transfer-Encoding"'),
  encoding: refuse(501, 'Of "Transfer-Encoding" only "chunked" is understood'),
  oldChunked: refuse(400, 'HTTP/1.0 has no "Transfer-Encoding"'),
  target: refuse(400, 'Its target is neither a path nor an address'),
  connect: refuse(405, 'This is no proxy for other hosts: "CONNECT" is not answered'),
}

/** Collects what the fields of one head say. */
class RequestFacts {
  refusal: Refusal | null = null
  readonly #fields: string[] = []
  #authority: string | null = null
  #length: number | null = null
  #isChunked = false
  #connection = ''
  #upgrade: string | null = null
  #te = ''
  #hops: readonly string[] = []

  readonly take = (name: string, value: string): boolean => {
    switch (requestRole(name)) {
      case 'keep':
        this.#fields.push(name, value)
        return this.#fields.length <= 2 * mostFields || this.#refuse(refusals.fields)
      case 'host':
        if (this.#authority !== null) return this.#refuse(refusals.hosts)
        this.#authority = value
        return true
      case 'content-length': {
        const length = lengthOf(value)
        if (length === null || (this.#length !== null && this.#length !== length)) return this.#refuse(refusals.lengths)
        this.#length = length
        return true
      }
      case 'transfer-encoding':
        if (this.#isChunked || value.toLowerCase() !== 'chunked') return this.#refuse(refusals.encoding)
        this.#isChunked = true
        return true
      case 'connection':
        this.#connection += `,${value}`
        return true
      case 'upgrade':
        this.#upgrade = value
        return true
      case 'te':
        this.#te += `,${value}`
        return true
      case 'hops':
        this.#hops = listOf(value)
        return true
      case null:
        return false
      default:
        return true
    }
  }

  #refuse(refusal: Refusal): false {
    this.refusal = refusal
    return false
  }

  headOf(method: string, rawTarget: string, isHttp11: boolean): RequestHead | Refusal {
    if (this.#isChunked && this.#length !== null) return refusals.framing
    if (this.#isChunked && !isHttp11) return refusals.oldChunked
    if (method === 'CONNECT') return refusals.connect
    const authority = this.#authority ?? ''
    const host = hostNameOf(authority)
    if (host === null) return refusals.host
    const target = originForm(rawTarget, authority)
    if (typeof target !== 'string') return target
    const options = this.#connection === '' ? [] : listOf(this.#connection)
    const named = options.filter((name) => !ownOptions.has(name))
    const bodyLength = this.#isChunked ? chunked : (this.#length ?? 0)
    return {
      method,
      target,
      authority,
      host,
      fields: named.length === 0 ? this.#fields : withoutFields(this.#fields, named),
      bodyLength,
      upgrade: isHttp11 && bodyLength === 0 && options.includes('upgrade') ? upgradeOf(this.#upgrade) : null,
      keepAlive: isHttp11 && !options.includes('close'),
      isHttp11,
      acceptsTrailers: this.#te !== '' && listOf(this.#te).includes('trailers'),
      hops: this.#hops,
      webSocketKey: null,
    }
  }
}

/** Options of `Connection` that are no names of fields that would have to go. */
const ownOptions: ReadonlySet<string> = new Set(['keep-alive', 'close', 'upgrade', 'te', 'http2-settings'])

/** One protocol, and not HTTP/2: that is spoken over TLS, or at once. */
function upgradeOf(value: string | null): string | null {
  if (value === null || value.includes(',') || value === '') return null
  return value.toLowerCase() === 'h2c' ? null : value
}

/** Path and query of a target that may name the host too, if it is the same host. */
function originForm(target: string, authority: string): string | Refusal {
  if (target.startsWith('/') || target === '*') return target
  const parts = /^https?:\/\/([^/?#@]*)(.*)$/iu.exec(target)
  if (parts === null) return refusals.target
  const [, host = '', rest = ''] = parts
  if (host.toLowerCase() !== authority.toLowerCase()) return refusals.otherHost
  return rest.startsWith('/') ? rest : `/${rest}`
}
