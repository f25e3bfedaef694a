// The ends of locald's own logs, for the message that says why the daemon does not answer.
import { open } from 'node:fs/promises'

const bytesRead = 16 * 1024

/** The last lines of each file that can be read, oldest first, each file under its path; empty when there are none. */
export async function lastLogLines(files: readonly string[], count = 10): Promise<string> {
  const parts: string[] = []
  for (const file of files) {
    const lines = await tail(file, count)
    if (lines.length > 0) parts.push(`${file}:`, ...lines.map((line) => `  ${line}`))
  }
  return parts.join('\n')
}

async function tail(file: string, count: number): Promise<readonly string[]> {
  try {
    await using handle = await open(file, 'r')
    const { size } = await handle.stat()
    const start = Math.max(0, size - bytesRead)
    const { buffer, bytesRead: read } = await handle.read({ buffer: Buffer.alloc(bytesRead), position: start })
    const lines = buffer.toString('utf8', 0, read).split('\n')
    // The first is cut off somewhere, unless the file begins with it.
    return (start > 0 ? lines.slice(1) : lines).filter((line) => line !== '').slice(-count)
  } catch {
    return [] // No log is no reason to fail: this explains another error.
  }
}
