// A file's text with its lines: turns offsets into places and faults into diagnostics.
import type { Diagnostic } from '@locald/protocol'
import type { Place } from './config.ts'

/** From `start` up to and without `end`, in UTF-16 code units. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** What a diagnostic says, without its place. */
export interface Fault {
  readonly severity?: 'error' | 'warning'
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
}

export interface SourceText {
  readonly file: string
  readonly text: string
  readonly placeOf: (offset: number) => Place
  /** A diagnostic about a span; one of several lines is cut at the end of its first. */
  readonly diagnose: (span: Span, fault: Fault) => Diagnostic
  /** The same for a place of this file. */
  readonly diagnoseAt: (place: Place, length: number, fault: Fault) => Diagnostic
}

/** Without the byte order mark with which some editors begin a file, and which columns do not count. */
export function withoutMark(text: string): string {
  return text.replace(/^\ufeff/, '')
}

export function sourceText(file: string, text: string): SourceText {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)

  const placeOf = (offset: number): Place => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
  const lineText = (line: number): string => {
    const end = starts[line]
    return text.slice(starts[line - 1], end === undefined ? undefined : end - 1).replace(/\r$/, '')
  }
  const diagnoseAt: SourceText['diagnoseAt'] = (place, wanted, { severity = 'error', code, message, hint }) => {
    const source = lineText(place.line)
    const length = Math.max(1, Math.min(wanted, source.length - place.column + 1))
    return { severity, code, message, ...place, source, length, ...(hint === undefined ? {} : { hint }) }
  }
  return {
    file,
    text,
    placeOf,
    diagnose: ({ start, end }, fault) => diagnoseAt(placeOf(start), end - start, fault),
    diagnoseAt,
  }
}
