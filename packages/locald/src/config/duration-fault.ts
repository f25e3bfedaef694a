// What is wrong with a duration that is one.
import { parseDuration } from '../lib/duration.ts'
import type { Fault } from './source-text.ts'

/** Timers hold no more: 2^31 - 1 ms are a little less than 25 days. */
const longestMs = 24 * 24 * 3_600_000

/** Of these, none at all would mean something else than it says: again and again without a pause, or never. */
const positive: readonly string[] = ['interval', 'timeout', 'start_timeout', 'idle_timeout', 'watchdog']

/** Null when it can be waited for as it says, or when it is no duration. */
export function durationFault(key: string, written: string | number | undefined): Fault | null {
  const ms = written === undefined ? undefined : parseDuration(written)
  if (ms === undefined) return null
  const fault = (expected: string): Fault => ({
    code: 'bad-value',
    message: `"${key}" is ${JSON.stringify(written)}: expected ${expected}`,
  })
  if (ms > longestMs) return fault(`at most 24 days, which are "${longestMs / 3_600_000}h"`)
  return ms === 0 && positive.includes(key) ? fault('more than 0') : null
}
