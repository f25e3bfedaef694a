// Reads newline-delimited JSON out of chunks that are cut anywhere, also within a character.
import { readLines } from './text-lines.ts'

/** One value a line; blank lines are skipped. A last line without an end is torn and left out. */
export async function* readJsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator {
  for await (const line of readLines(chunks)) {
    if (line.trim() !== '') yield JSON.parse(line) as unknown
  }
}
