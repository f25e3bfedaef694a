import type { LogFollow, LogSource } from './log-reader.ts'
import { mergedLines } from './merged-lines.ts'

/** No line is put together beyond this length. */
const longestLine = 64 * 1024

/**
 * The output of one run, line by line from its start on, until `follow` ends. A line that comes in parts (`Listening on`,
 * a pause, ` port 3000`) is given out again with each part, so that a pattern is found in all of it.
 */
export async function* runLines(
  source: LogSource,
  run: number,
  follow: LogFollow,
): AsyncGenerator<string, void, undefined> {
  const parts = new Map<string, string>()
  for await (const { lines } of mergedLines([source], { run }, follow, { outputOnly: true })) {
    for (const { origin, continues, text } of lines) {
      const whole = (continues ? (parts.get(origin.stream) ?? '') : '') + text
      parts.set(origin.stream, whole.slice(-longestLine))
      if (follow.signal.aborted) return
      yield whole
    }
  }
}
