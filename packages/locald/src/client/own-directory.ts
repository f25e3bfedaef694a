// Directories that nobody but the user may look into.
import { chmod, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LocaldError } from '@locald/protocol'

/** Makes the directory, 0700, or makes an own one 0700. Refuses one that belongs to another user. */
export async function ownDirectory(directory: string): Promise<void> {
  try {
    await makeDirectory(directory)
    const { uid, mode } = await stat(directory)
    if (process.getuid !== undefined && uid !== process.getuid()) throw directoryOfAnother(directory, uid)
    if ((mode & 0o077) !== 0) await chmod(directory, 0o700)
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
async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeOne(directory)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    await makeDirectory(dirname(directory))
    await makeOne(directory)
  }
}

async function makeOne(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !(await stat(directory)).isDirectory()) throw error
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
