// A lock that ends with the process that holds it, however that process ends.
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { tryLockDescriptor } from './native.ts'

export interface FileLock extends Disposable {
  /** What others read with `readLockNote` while the lock is held. */
  note(text: string): void
}

/** Takes the lock, creating the file with mode 0600; null when another process holds it. Children do not inherit it. */
export function tryFileLock(path: string): FileLock | null {
  const fd = openSync(path, 'a+', 0o600) // Node opens every file close-on-exec
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
      ftruncateSync(fd)
      writeSync(fd, text)
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
