// What comes after the end of a run that nobody ordered.
import type { ServiceExit } from '@locald/protocol'
import type { RestartPolicy } from '../config/config.ts'

/** So many crashes within `crashWindowMs` and it is given up. */
export const crashLimit = 5
export const crashWindowMs = 60_000
const firstDelayMs = 250
const longestDelayMs = 30_000

export interface Ending {
  readonly policy: RestartPolicy
  readonly exit: ServiceExit
  /** Why it was ended although nobody ordered it: it had become unhealthy. Null: it ended by itself. */
  readonly unhealthy: string | null
  /** Earlier crashes, oldest first. */
  readonly crashes: readonly number[]
  readonly now: number
}

export type Verdict =
  | {
      readonly next: 'backoff'
      readonly until: number
      readonly crashes: readonly number[]
      readonly reason: string
    }
  | { readonly next: 'completed' }
  | { readonly next: 'failed'; readonly reason: string; readonly crashes: readonly number[] }

/** Pure. A regular exit under `always` is restarted too, but counts towards the limit like a crash: a loop is a loop. */
export function afterExit({ policy, exit, unhealthy, crashes, now }: Ending): Verdict {
  const succeeded = exit.code === 0 && unhealthy === null
  if (succeeded && policy !== 'always') return { next: 'completed' }
  const cause = unhealthy ?? exit.reason
  if (policy === 'never' && unhealthy === null) return { next: 'failed', reason: cause, crashes }
  const recent = [...crashes.filter((at) => now - at < crashWindowMs), now]
  if (recent.length >= crashLimit) {
    return {
      next: 'failed',
      reason: `${cause}; given up after ${recent.length} crashes within ${crashWindowMs / 1000}s`,
      crashes: recent,
    }
  }
  return { next: 'backoff', until: now + backoffMs(recent.length), crashes: recent, reason: cause }
}

/** 250 ms after the first crash, doubled with each further one, 30 s at most. */
export function backoffMs(crashes: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, crashes - 1))
}
