// The keeper as its lock tells of it, for when its daemon does not answer.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Installation } from '../lib/installation.ts'
import { processEntry } from '../lib/process-tree.ts'

/** Its pid; null when there is none. */
export function livingKeeper({ keeperLock }: Installation): number | null {
  if (!existsSync(keeperLock)) return null
  const [pid = 0, startTime] = readFileSync(keeperLock, 'utf8').trim().split(' ').map(Number)
  const entry = pid > 0 ? processEntry(pid) : null
  // One that has ended may wait for a while to be reaped.
  return entry !== null && entry.alive && entry.startTime === startTime ? pid : null
}

/** The keeper runs, and its services, but it does not start the daemon any more. */
export function isDaemonGivenUp(installation: Installation): boolean {
  return existsSync(join(installation.state, 'crash-loop.json')) && livingKeeper(installation) !== null
}
