// Reads Procfiles as foreman 0.90 does, and says what looks like a mistake.
import type { Diagnostic } from '@locald/protocol'
import { sourceText } from './source-text.ts'
import type { Span } from './source-text.ts'

export interface ProcfileEntry {
  readonly name: string
  readonly command: string
  /** Of the name. */
  readonly span: Span
  readonly commandSpan: Span
}

export interface ParsedProcfile {
  /** In the order of the file; a name may occur more than once. */
  readonly entries: readonly ProcfileEntry[]
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[]
}

const entryForm = /^([A-Za-z0-9_-]+):[^\S\n]*(\S.*)$/
/** What somebody may have meant as an entry. */
const almostEntry = /^[\s\uFEFF]*([A-Za-z0-9_.+-]+)\s*:\s*\S/

/** Never fails: a line that is no entry is ignored, as foreman does, with a warning unless it is blank or a comment. */
export function parseProcfile(text: string, file: string): ParsedProcfile {
  const source = sourceText(file, text)
  const entries: ProcfileEntry[] = []
  const diagnostics: Diagnostic[] = []
  const warn = (span: Span, code: string, message: string, hint?: string): void => {
    diagnostics.push(source.diagnose(span, { severity: 'warning', code, message, hint }))
  }

  let start = 0
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\r$/, '')
    const span = { start, end: start + line.length }
    start += raw.length + 1
    const match = entryForm.exec(line)
    if (match === null) {
      explainIgnored(line, span, warn)
      continue
    }
    const [, name = '', command = ''] = match
    const commandSpan = { start: span.end - command.length, end: span.end }
    const nameSpan = { start: span.start, end: span.start + name.length }
    const earlier = entries.find((entry) => entry.name === name)
    if (earlier !== undefined) {
      const { line: first } = source.placeOf(earlier.span.start)
      warn(
        nameSpan,
        'duplicate-name',
        `"${name}" is defined twice: this line is not run, the one on line ${first} is`,
        'Give it another name',
      )
    }
    if (command !== command.trimEnd()) {
      const end = span.start + line.trimEnd().length
      warn({ start: end, end: span.end }, 'trailing-space', `The command of "${name}" ends in blanks`, 'Remove them')
    }
    entries.push({ name, command, span: nameSpan, commandSpan })
  }
  if (entries.length === 0) {
    warn(
      { start: 0, end: 0 },
      'empty-file',
      'No process is defined in this Procfile',
      'Write one line for each process: web: npm start',
    )
  }
  return { entries, diagnostics }
}

function explainIgnored(
  line: string,
  span: Span,
  warn: (span: Span, code: string, message: string, hint?: string) => void,
): void {
  const content = line.replace(/^\uFEFF/, '').trim()
  if (content === '' || content.startsWith('#')) return
  const shown = { start: span.start + line.length - line.trimStart().length, end: span.end }
  if (line.startsWith('\uFEFF')) {
    warn(
      span,
      'byte-order-mark',
      'This line is not read, because a byte order mark stands before it',
      'Save the file as UTF-8 without a byte order mark',
    )
  } else if (/^\s/.test(line) && almostEntry.test(line)) {
    warn(
      shown,
      'indented-line',
      'This line is not read, because it is indented',
      'Begin it with the name of the process',
    )
  } else if (!line.includes(':')) {
    warn(
      shown,
      'no-colon',
      'This line is not read: there is no colon after a name',
      'Write it as name: command, or begin it with "#"',
    )
  } else {
    warn(
      shown,
      'ignored-line',
      'This line is not read: it is not of the form name: command',
      'A name has letters, digits, "_" and "-", and a colon directly after it; begin a comment with "#"',
    )
  }
}
