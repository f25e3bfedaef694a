// The lines of several instances as the API shows them.
import type { AssembledLine } from './line-assembler.ts'
import type { ReadLogs } from './log-reader.ts'
import { mergedLines } from './merged-lines.ts'

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
    yield jsonOf(lines, cursor())
    if (follow?.signal.aborted === true) return
  }
}

/** There may be millions of them, and what they have in common is written once. The last line gets the cursor. */
function jsonOf(lines: readonly AssembledLine[], cursor: string): string {
  let json = ''
  let origin: AssembledLine['origin'] | null = null
  let beginning = ''
  for (const line of lines) {
    if (line.origin !== origin) {
      origin = line.origin
      const { at, label, stream, run } = origin
      const common = { at: new Date(at).toISOString(), service: label, stream, run }
      beginning = `${JSON.stringify(common).slice(0, -1)},"text":`
    }
    json += `${beginning}${JSON.stringify(line.text)}}\n`
  }
  return `${json.slice(0, -2)},"cursor":${JSON.stringify(cursor)}}\n`
}
