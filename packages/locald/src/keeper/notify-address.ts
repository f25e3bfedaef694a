// Where a run's notify socket is: the daemon puts it into the environment, the keeper binds it.
import { join } from 'node:path'
import { socketPathLimit } from '../lib/unix-socket.ts'

/**
 * On Linux a name without a file, because processes of the run may have changed to a user that cannot enter our
 * directories. Elsewhere a path in `directory`, which only this user can enter. As unguessable as the run's id.
 */
export function notifyAddress(run: string, directory: string): string {
  return process.platform === 'linux' ? `@locald/${run}` : join(directory, `${run}.notify`)
}

/** A file in `directory`, to be mounted into a container. Null where there is no engine on this machine itself, or the path is too long. */
export function containerNotifyPath(run: string, directory: string): string | null {
  const path = join(directory, `${run}.notify`)
  return process.platform === 'linux' && Buffer.byteLength(path) <= socketPathLimit ? path : null
}
