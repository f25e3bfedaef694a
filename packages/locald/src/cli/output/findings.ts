// What the doctor found: what is wrong first to the eye, what is well in one line each.
import type { Finding } from '@locald/protocol'
import { counted } from './counted.ts'
import type { Style } from './style.ts'
import { wrapped } from './wrapped.ts'

/** `width` null: as wide as one likes. */
export function renderFindings(findings: readonly Finding[], style: Style, width: number | null): readonly string[] {
  const lines = findings.flatMap((finding) => renderFinding(finding, style, Math.min(width ?? 100, 100)))
  return [...lines, '', conclusion(findings, style)]
}

function renderFinding(
  { id, severity, message, explanation, fix }: Finding,
  style: Style,
  width: number,
): readonly string[] {
  const mark = { ok: style.green('✓'), note: style.cyan('•'), warning: style.yellow('!'), error: style.red('✗') }[
    severity
  ]
  const head = severity === 'ok' ? message : `${style.bold(style.foreign(message))} ${style.dim(`[${id}]`)}`
  return [
    `${mark} ${head}`,
    ...(explanation === null ? [] : wrapped(style.foreign(explanation), width - 4).map((line) => `    ${line}`)),
    ...(fix === null ? [] : [`    ${style.dim('→')} ${style.cyan(fix)}`]),
  ]
}

function conclusion(findings: readonly Finding[], style: Style): string {
  const count = (severity: Finding['severity']): number => findings.filter((each) => each.severity === severity).length
  const [errors, warnings, notes] = [count('error'), count('warning'), count('note')]
  const said = [counted(errors, 'error'), counted(warnings, 'warning'), counted(notes, 'note')].filter(
    (text) => text !== '',
  )
  if (errors + warnings > 0)
    return `${style.bold(said.join(', '))}; each is explained in docs/doctor.md by the name in brackets`
  return `${style.green('Nothing is wrong')}${notes > 0 ? `; ${said.join(', ')}` : ''}`
}
