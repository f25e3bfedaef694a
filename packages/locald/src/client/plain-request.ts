// A request with a short answer, by hand: `node:http` takes longer to load than the rest of `locald status` takes to run.
// The other side is always our own server, which closes the connection after the answer as it is asked to; an answer that says
// how long it is, is not kept waiting for that.
import { connect } from 'node:net'
import { AnswerTimeout, reasonFor } from './request-errors.ts'

export interface PlainRequest {
  readonly socket: string
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly timeoutMs: number
}

export interface PlainAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

const readBytes = 64 * 1024

/** Rejects with NobodyListens, ConnectionLost, or a LocaldError `daemon_unreachable` when the answer does not come in time. */
export function sendPlainRequest({ socket, method, path, body, timeoutMs }: PlainRequest): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    let timer: NodeJS.Timeout | undefined
    const onRead = (length: number, buffer: Uint8Array): boolean => {
      received = Buffer.concat([received, buffer.subarray(0, length)])
      const answer = parseAnswer(received, false)
      if (answer === null) return true
      resolve(answer)
      clearTimeout(timer)
      return true
    }
    // Quicker than the events of a stream, of which the first take a good part of a millisecond.
    const connection = connect({ path: socket, onread: { buffer: Buffer.allocUnsafe(readBytes), callback: onRead } })
    connection.once('error', (error) => reject(reasonFor(error)))
    connection.once('close', () => {
      clearTimeout(timer)
      const answer = parseAnswer(received, true)
      if (answer === null) reject(reasonFor(new Error('The answer is not complete'), true))
      else resolve(answer)
    })
    const text = body === undefined ? '' : JSON.stringify(body)
    connection.write(
      `${method} ${path} HTTP/1.1\r\nHost: locald\r\nConnection: close\r\n` +
        (text === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`) +
        `\r\n${text}`,
    )
    // After that write, so that the other side is at work meanwhile.
    connection.once('connect', () => {
      timer = setTimeout(() => connection.destroy(new AnswerTimeout(timeoutMs)), timeoutMs)
    })
  })
}

/** Null while it is not complete. `isEnded`: there will be no more of it. https://www.rfc-editor.org/rfc/rfc9112 */
function parseAnswer(bytes: Buffer, isEnded: boolean): PlainAnswer | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const [statusLine = '', ...fields] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
    }),
  )
  const content = bytes.subarray(headEnd + 4)
  const text =
    headers['transfer-encoding'] === 'chunked' ? dechunked(content) : whole(content, headers['content-length'], isEnded)
  return text === null ? null : { status: Number(statusLine.split(' ')[1]), headers, text }
}

function whole(content: Buffer, length: string | undefined, isEnded: boolean): string | null {
  const isWhole = length === undefined ? isEnded : content.length >= Number(length)
  return isWhole ? content.toString('utf8') : null
}

/** The content of chunks, null when the last one is missing. */
function dechunked(content: Buffer): string | null {
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const lineEnd = content.indexOf('\r\n', at)
    if (lineEnd === -1) return null
    const size = Number.parseInt(content.toString('latin1', at, lineEnd), 16)
    const start = lineEnd + 2
    if (size === 0) return Buffer.concat(parts).toString('utf8')
    if (Number.isNaN(size) || start + size > content.length) return null
    parts.push(content.subarray(start, start + size))
    at = start + size + 2
  }
}
