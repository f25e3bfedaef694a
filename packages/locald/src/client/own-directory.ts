// Directories that nobody but the user may look into.
import { chmod, mkdir, stat } from 'node:fs/promises'
import { LocaldError } from '@locald/protocol'

/** Makes the directory, 0700, or makes an own one 0700. Refuses one that belongs to another user. */
export async function ownDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const { uid, mode } = await stat(directory)
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw new LocaldError(
        'directory_refused',
        `Cannot use the directory "${directory}": it belongs to the user with id ${uid}, not to you`,
        { hint: 'Remove it, or set LOCALD_HOME to a directory of your own' },
      )
    }
    if ((mode & 0o077) !== 0) await chmod(directory, 0o700)
  } catch (error) {
    if (error instanceof LocaldError) throw error
    throw new LocaldError('directory_refused', `Cannot use the directory "${directory}": ${reasonOf(error)}`, {
      cause: error,
      hint: 'Set LOCALD_HOME to a directory that you can write to',
    })
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
