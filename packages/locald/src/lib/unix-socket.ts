// A listening unix socket as a bare descriptor, for handing to another process.
import { closeSync, renameSync, rmSync } from 'node:fs'
import { bindUnixSocket } from './native.ts'

/** How many bytes the path of a unix socket may have: `sun_path` less its final zero. */
export const socketPathLimit = process.platform === 'linux' ? 107 : 103

/** Connections that may wait for somebody to accept them. */
const backlog = 511

/**
 * Listens on `path` for this user alone and returns the descriptor, which nobody accepts from yet: whoever connects waits.
 * The file is there once it can be connected to, and takes the place of one that is there: call it only where no other
 * process can be listening.
 */
export function listenUnixSocket(path: string): number {
  // No longer than the path, which may be at the limit.
  const unfinished = `${path.slice(0, -1)}~`
  rmSync(unfinished, { force: true })
  const before = process.umask(0o177)
  try {
    const fd = bindUnixSocket(unfinished, backlog)
    moveTo(path, unfinished, fd)
    return fd
  } finally {
    process.umask(before)
  }
}

function moveTo(path: string, unfinished: string, fd: number): void {
  try {
    renameSync(unfinished, path)
  } catch (error) {
    closeSync(fd)
    rmSync(unfinished, { force: true })
    throw error
  }
}
