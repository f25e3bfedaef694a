// Directories that no other user may look into.
import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { LocaldError } from '@locald/protocol'

/** Makes the directory with mode 0700, its parents too, or takes access to it away from everybody else. Throws a LocaldError. */
export function ensurePrivateDirectory(path: string): void {
  const hint = 'Remove or rename it, or set LOCALD_HOME to a directory of your own'
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new LocaldError('directory_refused', `Cannot create the directory "${path}"`, { cause, hint })
  }
  const { uid, mode } = statSync(path)
  if (uid !== process.getuid?.()) {
    throw new LocaldError('directory_refused', `Cannot use the directory "${path}": it belongs to another user`, {
      hint,
    })
  }
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700)
}
