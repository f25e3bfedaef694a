// Cuts a stream of bytes into lines of text.
import { StringDecoder } from 'node:string_decoder'

/**
 * Lines without their end (`\n` or `\r\n`). What follows the last end is not a line: a connection that broke in the middle
 * leaves half of one.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const lines of readLineBatches(chunks)) yield* lines
}

/** The lines that end in each chunk, together: there may be millions of them. */
export async function* readLineBatches(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  for await (const chunk of chunks) {
    const parts = (pending + decoder.write(chunk)).split('\n')
    pending = parts.pop() ?? ''
    if (parts.length > 0) yield parts.map((part) => (part.endsWith('\r') ? part.slice(0, -1) : part))
  }
}
