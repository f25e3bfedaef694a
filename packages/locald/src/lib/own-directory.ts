// Directories that nobody but the user may look into.
import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { isErrno } from './errno.ts'

/** Makes the directory with mode 0700, its parents too, or takes access to it away from everybody else. Throws `directory_refused`. */
export function ownDirectory(directory: string): void {
  try {
    makeDirectory(directory)
    const { uid, mode } = statSync(directory)
    if (uid !== process.getuid?.()) throw directoryOfAnother(directory, uid)
    if ((mode & 0o077) !== 0) chmodSync(directory, 0o700)
  } catch (error) {
    throw error instanceof LocaldError ? error : unusable(`the directory "${directory}"`, error)
  }
}

/** The refusal of a directory that belongs to the user with this id. */
export function directoryOfAnother(directory: string, uid: number): LocaldError {
  return new LocaldError(
    'directory_refused',
    `Cannot use the directory "${directory}": it belongs to the user with id ${uid}, not to you`,
    { hint: 'Remove it, or set LOCALD_HOME to a directory of your own' },
  )
}

/** The refusal of a file or directory that the system does not let us use. */
export function unusable(what: string, cause: unknown): LocaldError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new LocaldError('directory_refused', `Cannot use ${what}: ${reason}`, {
    cause,
    hint: 'Set LOCALD_HOME to a directory that you can write to',
  })
}

/** With its parents. By hand: Node's own way of making them never ends below `/proc`. */
function makeDirectory(directory: string): void {
  try {
    makeOne(directory)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    makeDirectory(dirname(directory))
    makeOne(directory)
  }
}

function makeOne(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !statSync(directory).isDirectory()) throw error
  }
}
