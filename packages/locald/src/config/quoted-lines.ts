// Gives diagnostics that only know their place the line that stands there.
import type { Diagnostic } from '@locald/protocol'
import { readLimited } from '../lib/read-limited.ts'
import { withoutMark } from './source-text.ts'

/** As large as a configuration may be. */
const maxBytes = 4 * 1024 * 1024

/** Those that quote a line already stay as they are, and so do those whose file cannot be read or has no such line. */
export async function quoteLines(diagnostics: readonly Diagnostic[]): Promise<readonly Diagnostic[]> {
  const files = new Set(diagnostics.filter(({ source }) => source === undefined).map(({ file }) => file))
  const lines = new Map(await Promise.all([...files].map(async (file) => [file, await linesOf(file)] as const)))
  return diagnostics.map((diagnostic) => {
    const { file, line, column, source } = diagnostic
    const quoted = source === undefined ? lines.get(file)?.[line - 1] : undefined
    return quoted === undefined ? diagnostic : { ...diagnostic, source: quoted, length: lengthAt(quoted, column) }
  })
}

async function linesOf(file: string): Promise<readonly string[]> {
  try {
    return withoutMark(await readLimited(file, maxBytes)).split(/\r?\n/)
  } catch {
    // That it cannot be read is what one of the diagnostics says.
    return []
  }
}

/** A string in quotes, or a word. */
const token = /(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w.-]+)/y

function lengthAt(line: string, column: number): number {
  token.lastIndex = column - 1
  return token.exec(line)?.[0].length ?? 1
}
