// A lock that ends with the process that holds it, however that process ends.
import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { tryLockDescriptor } from './native.ts'

export interface FileLock extends Disposable {
  /** What others read with `readLockNote` while the lock is held; spaces may follow it. */
  note(text: string): void
}

/** Takes the lock, creating the file with mode 0600; null when another process holds it. Children do not inherit it. */
export function tryFileLock(path: string): FileLock | null {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600) // Node opens every file close-on-exec
  let isTaken = false
  try {
    isTaken = tryLockDescriptor(fd)
  } finally {
    if (!isTaken) closeSync(fd)
  }
  if (!isTaken) return null
  let isHeld = true
  return {
    note: (text) => {
      // Over the note before: on a full disk there is no other room.
      writeSync(fd, text.padEnd(fstatSync(fd).size), 0)
    },
    [Symbol.dispose]: () => {
      if (isHeld) closeSync(fd)
      isHeld = false
    },
  }
}

/** What the holder of a lock has written; stale when nobody holds it. */
export function readLockNote(path: string): string {
  return readFileSync(path, 'utf8')
}
