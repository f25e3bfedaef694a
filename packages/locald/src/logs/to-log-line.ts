import type { LogLine } from '@locald/protocol'
import type { SourceLine } from './source-reader.ts'

/** A line in the shape of the API. */
export function toLogLine({ at, source, stream, run, text }: SourceLine): LogLine {
  return { at: new Date(at).toISOString(), service: source.source.label, stream, run, text }
}
