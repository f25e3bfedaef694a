// A listening unix socket as a bare descriptor, for handing to another process.
import { unlinkSync } from 'node:fs'
import { bindUnixSocket } from './native.ts'

/** How many bytes the path of a unix socket may have: `sun_path` less its final zero. */
export const socketPathLimit = process.platform === 'linux' ? 107 : 103

/** Connections that may wait for somebody to accept them. */
const backlog = 511

/**
 * Listens on `path` for this user alone and returns the descriptor, which nobody accepts from yet: whoever connects waits.
 * Takes the place of a file that is there: call it only where no other process can be listening.
 */
export function listenUnixSocket(path: string): number {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  const before = process.umask(0o177)
  try {
    return bindUnixSocket(path, backlog)
  } finally {
    process.umask(before)
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
