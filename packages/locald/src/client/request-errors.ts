// The ways in which a request can fail, sorted by what to do about them.
import { LocaldError } from '@locald/protocol'

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

export class AnswerTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`No answer within ${timeoutMs / 1000} s`)
  }
}

/** What to reject with for an error of a connection; `isTorn`: it ended in the middle. */
export function reasonFor(error: unknown, isTorn = false): Error {
  if (error instanceof AnswerTimeout) {
    return new LocaldError('daemon_unreachable', 'The daemon does not answer', { cause: error })
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // ENOTDIR: a directory of its path is something else.
  if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTDIR') return new NobodyListens(error)
  // EAGAIN: the backlog of a unix socket is full; somebody listens, but has not accepted for long.
  if (isTorn || code === 'ECONNRESET' || code === 'EPIPE' || code === 'EAGAIN' || code === 'ECONNABORTED') {
    return new ConnectionLost(error)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new LocaldError('daemon_unreachable', 'The socket of the daemon belongs to another user', { cause: error })
  }
  return error instanceof Error ? error : new Error('The request failed', { cause: error })
}
