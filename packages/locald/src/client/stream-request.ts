// A request whose answer goes on: logs and events. Loaded only when one is made.
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { reasonFor } from './request-errors.ts'

export interface StreamRequest {
  readonly socket: string
  /** With its query. */
  readonly path: string
  readonly signal?: AbortSignal
}

/** Resolves with the head of the answer to a GET, whatever its status. Rejects with NobodyListens, ConnectionLost or the abort reason. */
export function openStream({ socket, path, signal }: StreamRequest): Promise<IncomingMessage> {
  if (signal?.aborted === true) return Promise.reject(abortReason(signal))
  return new Promise((resolve, reject) => {
    // One request a connection: a kept connection would be a broken one after the daemon was replaced.
    const options = { socketPath: socket, path, agent: false, headers: { host: 'locald' } }
    const request = httpRequest({ ...options, ...(signal === undefined ? {} : { signal }) })
    request.once('response', resolve)
    request.once('error', (error) => reject(signal?.aborted === true ? abortReason(signal) : reasonFor(error)))
    request.end()
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
    throw reasonFor(error)
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

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('Aborted', { cause: signal.reason })
}
