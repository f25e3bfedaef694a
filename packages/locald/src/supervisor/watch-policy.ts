// When changed files restart a service, and when they look like its own doing.
import type { WatchRestart } from './instance.ts'

/** So many restarts in a row that look alike, and the service is taken to write what it watches. */
export const loopLimit = 5
/** However different they look: nobody saves so often. */
const burstLimit = 20
const burstMs = 60_000
/** Runs of a loop are of one age when they end, give or take so much or a tenth. */
const alikeMs = 500

export interface ChangedFiles {
  /** Earlier ones, oldest first. */
  readonly restarts: readonly WatchRestart[]
  /** How old the run is, or was when it last ran. */
  readonly ageMs: number
  readonly files: readonly string[]
  readonly now: number
}

export type WatchVerdict =
  | { readonly next: 'restart'; readonly restarts: readonly WatchRestart[] }
  | { readonly next: 'suspend'; readonly reason: string }

/** Pure. A service that writes what it watches changes the same files at the same age, again and again; people do not. */
export function afterChangedFiles({ restarts, ageMs, files, now }: ChangedFiles): WatchVerdict {
  const latest: WatchRestart = { at: now, ageMs, files: summaryOf(files) }
  const all = [...restarts.slice(1 - burstLimit), latest]
  const inARow = all.slice(-loopLimit)
  const isLoop = inARow.length === loopLimit && inARow.every((one) => isAlike(one, latest))
  const isBurst = all.length === burstLimit && now - (all[0]?.at ?? 0) < burstMs
  if (!isLoop && !isBurst) return { next: 'restart', restarts: all }
  const how = isLoop ? `${loopLimit} times in a row` : `${burstLimit} times within ${burstMs / 1000}s`
  return {
    next: 'suspend',
    reason: `changes of ${latest.files} restarted it ${how}, so it seems to write what it watches`,
  }
}

function isAlike(one: WatchRestart, other: WatchRestart): boolean {
  return one.files === other.files && Math.abs(one.ageMs - other.ageMs) <= Math.max(alikeMs, other.ageMs / 10)
}

/** `"src/a.ts"`, or the first of several and how many more. */
function summaryOf(files: readonly string[]): string {
  const [first = '', ...more] = [...files].sort()
  return more.length === 0 ? `"${first}"` : `"${first}" and ${more.length} more`
}
