// The length of a unix socket's path, which the system limits and Node reports badly.
import { dirname } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { Installation } from '../lib/installation.ts'

/** Less the final zero. https://man7.org/linux/man-pages/man7/unix.7.html */
const longestSocketPath = process.platform === 'linux' ? 107 : 103

/** Throws `path_too_long` when the system could not bind or connect to the daemon's socket. */
export function checkSocketPath({ apiSocket, runtime }: Installation): void {
  const length = Buffer.byteLength(apiSocket)
  if (length <= longestSocketPath) return
  throw new LocaldError(
    'path_too_long',
    `Cannot use the socket "${apiSocket}": its path has ${length} bytes, the system allows ${longestSocketPath}`,
    { hint: `Shorten "${dirname(runtime)}", which LOCALD_HOME or XDG_RUNTIME_DIR sets` },
  )
}
