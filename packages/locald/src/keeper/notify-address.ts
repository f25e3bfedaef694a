// Where a run's notify socket is: the daemon puts it into the environment, the keeper binds it.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { socketPathLimit } from '../lib/unix-socket.ts'

const suffix = '.notify'

/**
 * On Linux a name without a file, because processes of the run may have changed to a user that cannot enter our
 * directories. Elsewhere a path in `directory`, which only this user can enter; null when that is too long. As unguessable as
 * the run's id.
 */
export function notifyAddress(run: string, directory: string): string | null {
  return process.platform === 'linux' ? `@locald/${run}` : pathIn(directory, run)
}

/** A file in `directory`, to be mounted into a container. Null where engines run in a machine of their own, or when it is too long. */
export function containerNotifyPath(run: string, directory: string): string | null {
  return process.platform === 'linux' ? pathIn(directory, run) : null
}

function pathIn(directory: string, run: string): string | null {
  const path = join(directory, `${run}${suffix}`)
  return Buffer.byteLength(path) <= socketPathLimit ? path : null
}

/** Removes what a keeper that was killed has left in `directory`. Call while no other keeper can be there. */
export function removeNotifyFiles(directory: string): void {
  for (const name of readdirSync(directory)) if (name.endsWith(suffix)) rmSync(join(directory, name), { force: true })
}
