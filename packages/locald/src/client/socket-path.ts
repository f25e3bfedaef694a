// What can be wrong with the place of the daemon's socket before anybody connects to it.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { Installation } from '../lib/installation.ts'
import { directoryOfAnother } from '../lib/own-directory.ts'

/** Less the final zero. https://man7.org/linux/man-pages/man7/unix.7.html */
const longestSocketPath = process.platform === 'linux' ? 107 : 103

/**
 * Throws `path_too_long` when the system could not bind or connect to the daemon's socket, and `directory_refused` when its
 * directory is another user's: who listens there would get the environment of this shell.
 */
export function checkSocketPath({ apiSocket, runtime }: Installation): void {
  const length = Buffer.byteLength(apiSocket)
  if (length > longestSocketPath) {
    throw new LocaldError(
      'path_too_long',
      `Cannot use the socket "${apiSocket}": its path has ${length} bytes, the system allows ${longestSocketPath}`,
      { hint: `Shorten "${dirname(runtime)}", which LOCALD_HOME or XDG_RUNTIME_DIR sets` },
    )
  }
  const owner = ownerOf(runtime)
  if (owner !== undefined && owner !== process.getuid?.()) throw directoryOfAnother(runtime, owner)
}

function ownerOf(directory: string): number | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })?.uid
  } catch {
    return undefined // Whoever is not let in finds out, and says so, when it connects.
  }
}
