import type { LogLine } from '@locald/protocol'
import type { AssembledLine } from './line-assembler.ts'

/** Lines in the shape of the API. */
export function toLogLines(lines: readonly AssembledLine[]): LogLine[] {
  let last = Number.NaN
  let iso = ''
  return lines.map(({ origin: { at, label, stream, run }, text }) => {
    // Many lines come at the same time.
    if (at !== last) iso = new Date(at).toISOString()
    last = at
    return { at: iso, service: label, stream, run, text }
  })
}
