// What a command says when it fails: what happened, why, and what to do next.
import { LocaldError } from '@locald/protocol'
import type { ErrorBody } from '@locald/protocol'
import { countDiagnostics, renderDiagnostic } from './diagnostics.ts'
import type { DiagnosticOptions } from './diagnostics.ts'

/** Lines for stderr. A fault of ours comes with its stack. */
export function renderError(error: unknown, options: DiagnosticOptions): readonly string[] {
  const { style } = options
  const head = style.red(style.bold('error:'))
  if (!(error instanceof LocaldError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return [
      `${head} locald failed unexpectedly: ${text}`,
      `${style.cyan('hint:')} This is a fault of locald; please report it`,
    ]
  }
  const lines = error.diagnostics.flatMap((diagnostic) => [...renderDiagnostic(diagnostic, options), ''])
  const count = countDiagnostics(error.diagnostics)
  lines.push(`${head} ${error.message}${count === '' ? '' : ` (${count})`}`)
  if (error.hint !== undefined) lines.push(`${style.cyan('hint:')} ${error.hint}`)
  return lines
}

/** The same as one line of JSON, in the shape of a refused API request. */
export function renderErrorAsJson(error: unknown): string {
  if (!(error instanceof LocaldError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return JSON.stringify({ error: { code: 'internal', message } } satisfies ErrorBody)
  }
  const { code, message, hint, diagnostics } = error
  const body: ErrorBody = {
    error: {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(diagnostics.length === 0 ? {} : { diagnostics }),
    },
  }
  return JSON.stringify(body)
}
