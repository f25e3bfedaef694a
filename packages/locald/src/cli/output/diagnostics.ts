// Faults of a configuration with their place: the line, and a mark under what is wrong in it.
import { relative } from 'node:path'
import type { Diagnostic } from '@locald/protocol'
import { counted } from './counted.ts'
import type { Style } from './style.ts'
import { textWidth } from './text-width.ts'

export interface DiagnosticOptions {
  /** Paths below it are shown relative to it. */
  readonly cwd: string
  readonly style: Style
}

/**
 * Lines such as
 *
 *     error: Unknown key "comand" (unknown-key)
 *       --> locald.toml:3:1
 *        |
 *      3 | comand = "npm run dev"
 *        | ^^^^^^
 *       hint: Did you mean "command"?
 */
export function renderDiagnostic(diagnostic: Diagnostic, { cwd, style }: DiagnosticOptions): readonly string[] {
  const { severity, code, message, file, line, column, source, length = 1, hint } = diagnostic
  const paint = severity === 'error' ? style.red : style.yellow
  const margin = ' '.repeat(String(line).length)
  const lines = [
    `${paint(style.bold(`${severity}:`))} ${message} ${style.dim(`(${code})`)}`,
    `${margin} ${style.dim('-->')} ${shortPath(file, cwd)}:${line}:${column}`,
  ]
  if (source !== undefined) {
    const [before, marked] = markedPart(source, column, length)
    lines.push(
      style.dim(`${margin} |`),
      `${style.dim(`${line} |`)} ${untabbed(source)}`,
      `${style.dim(`${margin} |`)} ${' '.repeat(textWidth(untabbed(before)))}${paint('^'.repeat(Math.max(1, textWidth(untabbed(marked)))))}`,
    )
  }
  if (hint !== undefined) lines.push(`${margin} ${style.cyan('hint:')} ${hint}`)
  return lines
}

/** `2 errors, 1 warning`; what there is none of is left out. */
export function countDiagnostics(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length
  const warnings = diagnostics.length - errors
  const parts = [counted(errors, 'error'), counted(warnings, 'warning')].filter((part) => part !== '')
  return parts.join(', ')
}

/** A path relative to `cwd` when it is below it. */
export function shortPath(file: string, cwd: string): string {
  const short = relative(cwd, file)
  return short === '' || short.startsWith('..') ? file : short
}

/** What stands before the fault, and the part of the line that is the fault; `column` counts UTF-16 units from 1. */
function markedPart(source: string, column: number, length: number): readonly [string, string] {
  const start = Math.min(Math.max(0, column - 1), source.length)
  return [source.slice(0, start), source.slice(start, start + length)]
}

function untabbed(text: string): string {
  return text.replaceAll('\t', '    ')
}
