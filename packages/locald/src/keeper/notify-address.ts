// Where a run's notify socket is: the daemon puts it into the environment, the keeper binds it.
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { socketPathLimit } from '../lib/unix-socket.ts'

const suffix = '.notify'
const folderSuffix = '.container'
const folderSocket = 'notify.sock'

/**
 * On Linux a name without a file, because processes of the run may have changed to a user that cannot enter our
 * directories. Elsewhere a path in `directory`, which only this user can enter; null when that is too long. As unguessable as
 * the run's id.
 */
export function notifyAddress(run: string, directory: string): string | null {
  return process.platform === 'linux' ? `@locald/${run}` : socketPath(join(directory, `${run}${suffix}`))
}

/**
 * For a container, which has the folder of that path mounted: a later keeper can bind another socket there, and the container finds
 * that. Null where engines run in a machine of their own, or when the path is too long.
 */
export function containerNotifyPath(run: string, directory: string): string | null {
  if (process.platform !== 'linux') return null
  return socketPath(join(directory, `${run}${folderSuffix}`, folderSocket))
}

/** Makes the folder that a container has mounted. Any user of the container may look into it, and nobody outside can get there. */
export function makeContainerNotifyFolder(path: string): void {
  const folder = dirname(path)
  if (!folder.endsWith(folderSuffix)) return // of a container of an older version: a file is mounted
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o711)
}

/** Removes the folder of a run, whose container is gone. */
export function removeContainerNotifyFolder(run: string, directory: string): void {
  rmSync(join(directory, `${run}${folderSuffix}`), { recursive: true, force: true })
}

function socketPath(path: string): string | null {
  return Buffer.byteLength(path) <= socketPathLimit ? path : null
}

/**
 * Removes what a keeper that was killed has left in `directory`. Call while no other keeper can be there. The folders stay:
 * containers that run on have them mounted.
 */
export function removeNotifyFiles(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.endsWith(suffix)) rmSync(join(directory, name), { force: true })
    else if (name.endsWith(folderSuffix)) rmSync(join(directory, name, folderSocket), { force: true })
  }
}
