// Keeps a log file small while it is written to, and reads its end.
import { closeSync, copyFileSync, fstatSync, openSync, readSync, rmSync, statSync, truncateSync } from 'node:fs'
import { isErrno } from './errno.ts'

/** A log may be so long before its lines go to the file beside it, of which one is kept: `PATH.1`. */
export const logBytes = 8 * 1024 * 1024

/** Looking at a log's size after each line would cost more than the line. */
const lookBytes = 256 * 1024

/**
 * Empties the log when it is longer than `bytes`; what was in it is `PATH.1` then. Nobody has to open it anew, but all who write
 * to it must append. Never throws; without room for the copy the log stays as it is, and cannot grow either.
 */
export function shortenLog(path: string, bytes: number = logBytes): void {
  try {
    if (statSync(path).size <= bytes) return
    copyFileSync(path, older(path))
    truncateSync(path)
  } catch (error) {
    // Part of a copy is worth nothing. And who would be told of it writes to this log.
    if (!isErrno(error, 'ENOENT')) rmSync(older(path), { force: true })
  }
}

function older(path: string): string {
  return `${path}.1`
}

/** To be told of what is written to a log; keeps it near `bytes`, however long the process lives. */
export class LogBound {
  readonly #path: string
  readonly #bytes: number
  #unseen = lookBytes

  constructor(path: string, bytes: number = logBytes) {
    this.#path = path
    this.#bytes = bytes
  }

  /** So many bytes were added. */
  added(bytes: number): void {
    this.#unseen += bytes
    if (this.#unseen < Math.min(lookBytes, this.#bytes)) return
    this.#unseen = 0
    shortenLog(this.#path, this.#bytes)
  }
}

/** The last bytes of a file, at most so many, as text. Throws when it cannot be read. */
export function readEnd(path: string, bytes: number): string {
  const fd = openSync(path, 'r')
  try {
    const end = Buffer.alloc(bytes)
    const length = readSync(fd, end, 0, bytes, Math.max(0, fstatSync(fd).size - bytes))
    return end.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}
