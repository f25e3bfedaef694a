// Parses a TOML file by a schema: all faults at once, and what is left when the faulty parts are taken out.
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import type { Diagnostic } from '@locald/protocol'
import { schemaFaults } from './schema-faults.ts'
import { sourceText, withoutMark } from './source-text.ts'
import type { Fault, SourceText, Span } from './source-text.ts'
import { indexToml } from './toml-index.ts'
import type { TomlIndex, TomlPath } from './toml-index.ts'

export interface TomlDocument<T> {
  readonly source: SourceText
  readonly index: TomlIndex
  /** Conforms to the schema; faulty values and unknown keys are left out. */
  readonly data: T
  readonly diagnostics: readonly Diagnostic[]
  /** The syntax was wrong somewhere: what seems to be missing may only be unreadable. */
  readonly broken: boolean
  /** Whether something was faulty at this path or below it, so that nothing more should be said about it. */
  readonly hasFault: (path: TomlPath) => boolean
  /** Where the schema found faults; an unknown key is one, too. */
  readonly faulty: readonly TomlPath[]
  /** Of a table as it is written, faulty parts included. */
  readonly keysOf: (table: string) => readonly string[]
  /** Where to point for a path; `key` falls back to the value and the other way round, then to the table around it. */
  readonly spanOf: (path: TomlPath, at?: 'key' | 'value') => Span
  readonly diagnose: (path: TomlPath, fault: Fault & { readonly at?: 'key' | 'value' }) => Diagnostic
}

export function readToml<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  empty: z.output<S>,
): TomlDocument<z.output<S>> {
  const source = sourceText(file, withoutMark(text))
  const { data, readable, diagnostics } = parseTolerantly(source)
  const index = indexToml(readable)
  const spanOf = (path: TomlPath, at: 'key' | 'value' = 'value'): Span =>
    (at === 'key' ? index.key(path) : index.value(path)) ?? index.nearest(path)
  const diagnose: TomlDocument<unknown>['diagnose'] = (path, { at = 'value', ...fault }) =>
    source.diagnose(spanOf(path, at), fault)

  const broken = diagnostics.length > 0
  const faulty: TomlPath[] = []
  const faults = schemaFaults(schema, data)
  for (const fault of faults) {
    const { path, at, ...rest } = fault
    faulty.push(path)
    if (!(broken && fault.code === 'missing')) diagnostics.push(diagnose(path, { at, ...rest }))
  }
  // Most files have no fault, and large ones are parsed at every order.
  const left = schema.safeParse(faults.length === 0 ? data : conforming(schema, data))
  return {
    source,
    index,
    data: left.success ? left.data : empty,
    diagnostics,
    broken,
    keysOf: (table) => {
      const value: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, table) : undefined
      return typeof value === 'object' && value !== null ? Object.keys(value) : []
    },
    faulty,
    hasFault: (path) => faulty.some((fault) => path.every((part, i) => fault[i] === part)),
    spanOf,
    diagnose,
  }
}

/** Enough for any file written by hand; a file of another format should not be listed line by line. */
const maxSyntaxErrors = 20

/**
 * The parser stops at its first complaint. The line it complains about is blanked out and the rest is tried again, so that
 * one typing mistake does not hide all others. With a table's header its whole table goes: its keys would land elsewhere.
 */
function parseTolerantly(source: SourceText): { data: unknown; readable: string; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = []
  let readable = source.text
  for (;;) {
    try {
      return { data: parse(readable), readable, diagnostics }
    } catch (error) {
      if (!(error instanceof TomlError)) throw error
      const fault = locate(error, source, readable)
      diagnostics.push(fault.diagnostic)
      const lines = readable.split('\n')
      const next = blankOut(lines, fault.first, fault.last).join('\n')
      if (diagnostics.length >= maxSyntaxErrors || next === readable) return { data: {}, readable: '', diagnostics }
      readable = next
    }
  }
}

/** A syntax error, and the lines (counted from 0) without which the rest may make sense. */
function locate(
  error: TomlError,
  source: SourceText,
  readable: string,
): { diagnostic: Diagnostic; first: number; last: number } {
  const starts = [0, ...[...readable.matchAll(/\n/g)].map(({ index }) => index + 1)]
  const last = Math.min(error.line, starts.length) - 1
  const offset = (starts[last] ?? 0) + Math.max(0, error.column - 1)
  const { unfinished } = indexToml(readable)
  const first = unfinished === undefined ? last : source.placeOf(unfinished).line - 1
  if (unfinished === undefined || first >= last) {
    return {
      diagnostic: source.diagnose({ start: offset, end: offset + 1 }, syntaxFault(error, source.text[offset])),
      first: last,
      last,
    }
  }
  // The parser notices at the next line that a bracket was not closed.
  const what = source.text[unfinished] === '[' ? 'list' : 'table'
  const fault = {
    code: 'syntax',
    message: `This is not valid TOML: this ${what} is not closed`,
    hint: 'Close it with a bracket',
  }
  return { diagnostic: source.diagnose({ start: unfinished, end: unfinished + 1 }, fault), first, last: last - 1 }
}

/** Line numbers stay as they are; so do columns of other lines. */
function blankOut(lines: readonly string[], from: number, to: number): readonly string[] {
  let first = from
  while (first > 0 && lines[first]?.trim() === '') first--
  let last = to
  if (/^\s*\[/.test(lines[first] ?? '')) {
    while (last + 1 < lines.length && !/^\s*\[/.test(lines[last + 1] ?? '')) last++
  }
  return lines.map((line, index) => (index >= first && index <= last ? ' '.repeat(line.length) : line))
}

function syntaxFault(error: TomlError, found: string | undefined): Fault {
  const reason = (error.message.replace(/^Invalid TOML document: /, '').split('\n')[0] ?? '').trim()
  const hint = syntaxHint(reason, found)
  return { code: 'syntax', message: `This is not valid TOML: ${reason}`, ...(hint === undefined ? {} : { hint }) }
}

function syntaxHint(reason: string, found: string | undefined): string | undefined {
  if (reason.startsWith('control characters') || reason === 'unfinished string') {
    return 'Close the string with a quote; text of several lines needs three of them'
  }
  if (found === ':') return 'Write key = value: this is TOML, not YAML'
  if (reason === 'invalid value' && found !== undefined && /\S/.test(found)) return 'Put text in quotes'
  if (reason.includes('end-of-line'))
    return 'A value ends the line; text that holds quotes needs quotes of the other kind'
  if (reason.startsWith('trying to redefine')) return 'It was written further up already'
  return undefined
}

/** A copy without what is faulty. Of a list with a faulty item nothing stays, so that places keep their numbers. */
function conforming(schema: z.ZodType, data: unknown): unknown {
  const copy = structuredClone(data)
  // Taking out one part can make its table incomplete, and then that has to go.
  for (let round = 0; round < 6; round++) {
    const faults = schemaFaults(schema, copy)
    if (faults.length === 0) break
    for (const { path } of faults) remove(copy, path)
  }
  return copy
}

function remove(data: unknown, path: TomlPath): void {
  let holder: unknown = data
  let cut: { readonly holder: object; readonly key: string | number } | undefined
  for (const part of path) {
    if (typeof holder !== 'object' || holder === null) break
    if (!Array.isArray(holder)) cut = { holder, key: part }
    if (cut !== undefined && typeof part === 'number') break
    holder = Reflect.get(holder, part)
  }
  if (cut !== undefined) Reflect.deleteProperty(cut.holder, cut.key)
}
