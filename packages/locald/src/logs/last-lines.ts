import type { LogLine } from '@locald/protocol'
import type { LogSource } from './log-reader.ts'
import { mergedLines } from './merged-lines.ts'
import { toLogLines } from './to-log-line.ts'

/**
 * The last lines of an instance's own output, for telling why it failed; of one run if that is given (negative counts
 * from the newest). What locald says itself is left out.
 */
export async function lastLines(
  source: LogSource,
  count: number,
  { run }: { readonly run?: number } = {},
): Promise<readonly LogLine[]> {
  const query = { tail: count, ...(run === undefined ? {} : { run }) }
  const lines: LogLine[] = []
  for await (const batch of mergedLines([source], query, undefined, { outputOnly: true })) {
    lines.push(...toLogLines(batch.lines))
  }
  return lines
}
