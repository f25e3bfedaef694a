// The lines of several instances as the API shows them.
import type { ReadLogs } from './log-reader.ts'
import { mergedLines } from './merged-lines.ts'
import { toLogLines } from './to-log-line.ts'

/**
 * Lines come as they were written, colours and all, without their line feed. Each has the time of the chunk that
 * completed it. A line that is not complete is given out at the end of reading, and while following after a short
 * silence; its rest follows as a line of its own.
 *
 * The last line of each batch has a cursor. A cursor outranks `tail`: reading goes on behind it and leaves nothing out;
 * an instance that it does not know is read from its beginning. Throws LocaldError `request_invalid` for a cursor that
 * is none.
 */
export const readLogs: ReadLogs = async function* readLogs(sources, query, follow) {
  for await (const { lines, cursor } of mergedLines(sources, query, follow)) {
    const shown = toLogLines(lines)
    const last = shown.pop()
    if (last !== undefined) shown.push({ ...last, cursor: cursor() })
    yield shown
    if (follow?.signal.aborted === true) return
  }
}
