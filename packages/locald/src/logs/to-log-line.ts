import type { LogLine } from '@locald/protocol'
import type { AssembledLine } from './line-assembler.ts'

/** A line in the shape of the API. */
export function toLogLine({ at, label, stream, run, text }: AssembledLine): LogLine {
  return { at: new Date(at).toISOString(), service: label, stream, run, text }
}
