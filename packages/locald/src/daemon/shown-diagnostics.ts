// Diagnostics as the warnings of a project: one line of text each, and each once.
import type { Diagnostic } from '@locald/protocol'

/** Only those that are warnings. */
export function shownWarnings(diagnostics: readonly Diagnostic[]): readonly string[] {
  return [...new Set(diagnostics.filter(({ severity }) => severity === 'warning').map(describeDiagnostic))]
}

/** With its place and, where there is one, its hint. */
export function describeDiagnostic({ file, line, message, hint }: Diagnostic): string {
  return `${file}:${line}: ${message}${hint === undefined ? '' : ` (${hint})`}`
}
