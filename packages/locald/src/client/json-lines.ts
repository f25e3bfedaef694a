// Reads newline-delimited JSON out of chunks that are cut anywhere, also within a character.
import { readLineBatches, readLines } from './text-lines.ts'

/** One value a line; blank lines are skipped. A last line without an end is torn and left out. */
export async function* readJsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator {
  for await (const line of readLines(chunks)) {
    if (line.trim() !== '') yield JSON.parse(line) as unknown
  }
}

/** The same, as many values at a time as came with one chunk. */
export async function* readJsonBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly unknown[]> {
  for await (const lines of readLineBatches(chunks)) {
    const written = lines.filter((line) => line.trim() !== '')
    // At once is much quicker than one by one.
    if (written.length > 0) yield JSON.parse(`[${written.join(',')}]`) as readonly unknown[]
  }
}
