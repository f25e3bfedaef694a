// One HTTP request over a unix socket, with the ways it can fail sorted out.
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { LocaldError } from '@locald/protocol'

export interface HttpRequest {
  readonly socket: string
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  /** Until the head of the answer. Default: no limit. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** The connection broke before or in the answer: the daemon was replaced. Asking again is right. */
export class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super('The connection to the daemon broke', { cause })
    this.name = 'ConnectionLost'
  }
}

/** Nobody listens on the socket. */
export class NobodyListens extends Error {
  constructor(cause: unknown) {
    super('Nobody listens on the socket of the daemon', { cause })
    this.name = 'NobodyListens'
  }
}

/**
 * Resolves with the head of the answer, whatever its status; the body is for the caller to read. Rejects with
 * NobodyListens, ConnectionLost, a LocaldError `daemon_unreachable` when no answer came in time, or the abort reason.
 */
export function sendRequest(options: HttpRequest): Promise<IncomingMessage> {
  const { socket, method, path, body, timeoutMs, signal } = options
  if (signal?.aborted === true) return Promise.reject(reasonOf(signal))
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const request = httpRequest({
      socketPath: socket,
      method,
      path,
      // One request a connection: a kept connection would be a broken one after the daemon was replaced.
      agent: false,
      headers: {
        host: 'locald',
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      },
      ...(signal === undefined ? {} : { signal }),
    })
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => request.destroy(new AnswerTimeout(timeoutMs)), timeoutMs)
    request.once('response', (answer) => {
      clearTimeout(timer)
      resolve(answer)
    })
    request.once('error', (error) => {
      clearTimeout(timer)
      reject(signal?.aborted === true ? reasonOf(signal) : sortedError(error))
    })
    request.end(text)
  })
}

/**
 * The chunks of a body. Ends quietly when `signal` aborts; throws ConnectionLost when the daemon went away in the middle.
 */
export async function* bodyChunks(answer: IncomingMessage, signal?: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) {
      if (Buffer.isBuffer(chunk)) yield chunk
    }
  } catch (error) {
    if (signal?.aborted === true) return
    throw sortedError(error)
  } finally {
    answer.destroy()
  }
}

/** The whole body as text. */
export async function bodyText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of bodyChunks(answer)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

class AnswerTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`No answer within ${timeoutMs / 1000} s`)
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('Aborted', { cause: signal.reason })
}

function sortedError(error: unknown): Error {
  if (error instanceof AnswerTimeout) {
    return new LocaldError('daemon_unreachable', 'The daemon does not answer', { cause: error })
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // EAGAIN: the backlog of a unix socket is full; somebody listens, but has not accepted for long.
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return new NobodyListens(error)
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'EAGAIN' || code === 'ECONNABORTED') {
    return new ConnectionLost(error)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new LocaldError('daemon_unreachable', 'The socket of the daemon belongs to another user', { cause: error })
  }
  return error instanceof Error ? error : new Error('The request failed', { cause: error })
}
