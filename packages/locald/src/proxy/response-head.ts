// The head of a service's answer, read as strictly as a request's.
import { responseRole } from './field-roles.ts'
import { eachField, isAmbiguous, lengthOf, listOf, withoutFields } from './head-lines.ts'
import { mostFields } from './limits.ts'
import { chunked, untilClose } from './message-body.ts'
import type { BodyLength } from './message-body.ts'

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** What is passed on, name and value in turns. */
  readonly fields: readonly string[]
  /** Of what follows: 0 for answers that never have a body, whatever `contentLength` says. */
  readonly bodyLength: BodyLength
  /** As it was announced, also where no body follows; null: it was not. */
  readonly contentLength: number | null
  /** The connection to the service can be used again. */
  readonly keepAlive: boolean
  /** For how long the service keeps it when nothing comes, in milliseconds; null: it does not say. */
  readonly keepAliveMs: number | null
  readonly upgrade: string | null
  readonly webSocketAccept: string | null
  readonly isEventStream: boolean
}

/** The head's text, latin1, without the empty line, in answer to such a request. Null: it is not one of HTTP. Never throws. */
export function parseResponseHead(text: string, method: string): ResponseHead | null {
  if (isAmbiguous(text)) return null
  const firstEnd = text.indexOf('\r\n')
  const parts = statusLine.exec(firstEnd === -1 ? text : text.slice(0, firstEnd))
  if (parts === null) return null
  const [, minor, code = '', reason = ''] = parts
  const facts = new ResponseFacts()
  if (firstEnd !== -1 && !eachField(text, firstEnd + 2, facts.take)) return null
  return facts.headOf(Number(code), reason, minor === '1', method)
}

const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/u

class ResponseFacts {
  readonly #fields: string[] = []
  #length: number | null = null
  #isChunked = false
  #connection = ''
  #keepAlive: string | null = null
  #upgrade: string | null = null
  #accept: string | null = null
  #isEventStream = false

  readonly take = (name: string, value: string): boolean => {
    switch (responseRole(name)) {
      case 'keep':
        this.#fields.push(name, value)
        return this.#fields.length <= 2 * mostFields
      case 'content-type':
        this.#isEventStream = /^text\/event-stream\b/iu.test(value)
        this.#fields.push(name, value)
        return true
      case 'content-length': {
        const length = lengthOf(value)
        if (length === null || (this.#length !== null && this.#length !== length)) return false
        this.#length = length
        return true
      }
      case 'transfer-encoding':
        if (this.#isChunked || value.toLowerCase() !== 'chunked') return false
        this.#isChunked = true
        return true
      case 'connection':
        this.#connection += `,${value}`
        return true
      case 'keep-alive':
        this.#keepAlive = value
        return true
      case 'upgrade':
        this.#upgrade = value
        return true
      case 'accept-key':
        if (this.#accept !== null) return false
        this.#accept = value
        this.#fields.push(name, value)
        return true
      case null:
        return false
      default:
        return true
    }
  }

  headOf(status: number, reason: string, isHttp11: boolean, method: string): ResponseHead | null {
    if (this.#isChunked && (this.#length !== null || !isHttp11)) return null
    const options = this.#connection === '' ? [] : listOf(this.#connection)
    const named = options.filter((name) => !ownOptions.has(name))
    const hasBody = method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304
    const framed = this.#isChunked ? chunked : (this.#length ?? untilClose)
    // What announces a body that must not be there may send it all the same, and later than the next request.
    const mayBeFollowed = !hasBody && framed !== 0 && framed !== untilClose
    const wantsToKeep = isHttp11 ? !options.includes('close') : options.includes('keep-alive')
    return {
      status,
      reason,
      fields: named.length === 0 ? this.#fields : withoutFields(this.#fields, named),
      bodyLength: hasBody ? framed : 0,
      contentLength: status >= 200 && status !== 204 ? this.#length : null,
      keepAlive: wantsToKeep && !mayBeFollowed,
      keepAliveMs: keepAliveMs(this.#keepAlive),
      upgrade: this.#upgrade,
      webSocketAccept: this.#accept,
      isEventStream: this.#isEventStream,
    }
  }
}

const ownOptions: ReadonlySet<string> = new Set(['keep-alive', 'close', 'upgrade', 'te'])

function keepAliveMs(value: string | null): number | null {
  const seconds = value === null ? null : /\btimeout=([0-9]{1,6})\b/iu.exec(value)?.[1]
  return seconds === null || seconds === undefined ? null : Number(seconds) * 1000
}
