// Programs where the system keeps them.
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a program may come from that root runs: never from the user's PATH, which others may be able to write to. */
export const systemDirectories: readonly string[] = [
  'usr/local/sbin',
  'usr/sbin',
  'sbin',
  'usr/bin',
  'bin',
  'run/wrappers/bin',
  'run/current-system/sw/bin',
]

/** An absolute path, from the directories of the system alone; null when there is none. `root`: default `/`. */
export async function systemProgram(name: string, root = '/'): Promise<string | null> {
  return await firstExecutable(systemDirectories.map((directory) => join(root, directory, name)))
}

export async function firstExecutable(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    if (await isAllowed(path, constants.X_OK)) return path
  }
  return null
}

/** Whether this user may do that with the file or directory; false when it is not there. */
export async function isAllowed(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  )
}
