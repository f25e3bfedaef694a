// Reading whole files that are expected to be small.
import { createReadStream } from 'node:fs'

/** A file that is larger than it has any reason to be. */
export class FileTooLarge extends Error {
  constructor(file: string, maxBytes: number) {
    super(`"${file}" is larger than ${maxBytes / 1024 / 1024} MiB`)
    this.name = 'FileTooLarge'
  }
}

/** As UTF-8. Rejects with FileTooLarge before much more than `maxBytes` are in memory, also for a device that never ends. */
export async function readLimited(file: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  const stream: AsyncIterable<Buffer> = createReadStream(file)
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) throw new FileTooLarge(file, maxBytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}
