// Reads env files: the grammar of npm's `dotenv`, then expansion of `$NAME`. The dialect is described in docs/env-files.md.
import { LocaldError } from '@locald/protocol'
import type { Diagnostic } from '@locald/protocol'
import { readLimited } from '../lib/read-limited.ts'
import type { EnvEntry } from './config.ts'
import { foreignOwner, ownUid, statOf } from './ownership.ts'

type EnvQuote = 'none' | 'single' | 'double' | 'backtick'

/** One assignment of an env file. `value` is without its quotes, before expansion. */
export interface EnvFileEntry extends EnvEntry {
  /** Only `none` and `double` expand. */
  readonly quote: EnvQuote
}

export interface ParsedEnvFile {
  readonly file: string
  /** In the order of the file; of two with the same name the later one counts. */
  readonly entries: readonly EnvFileEntry[]
  /** Warnings about lines that say nothing. */
  readonly diagnostics: readonly Diagnostic[]
}

/** An entry whose references have been replaced. */
export interface ExpandedEntry extends EnvEntry {
  /** Names it refers to that nobody defines and that have no default: they became the empty string. */
  readonly unresolved: readonly string[]
}

/** More than a program can be given as its environment. */
const maxEnvBytes = 4 * 1024 * 1024

/**
 * `undefined`: there is no such file. Throws `env_file_unreadable` when there is one and it cannot be read, `config_refused`
 * when it is neither root's nor of `uid`, by default the user of this process: `NODE_OPTIONS` is as good as a command.
 */
export async function readEnvFile(path: string, uid = ownUid()): Promise<ParsedEnvFile | undefined> {
  const owner = foreignOwner(await statOf(path), uid)
  if (owner !== undefined) {
    throw new LocaldError(
      'config_refused',
      `Refused to read the env file "${path}": it belongs to another user (uid ${owner}), and what runs as you would follow it`,
      { hint: `If you trust it, make it yours: sudo chown ${uid} "${path}"` },
    )
  }
  try {
    return parseEnvFile(await readLimited(path, maxEnvBytes), path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    const reason = errorCode(error) === 'EISDIR' ? 'it is a directory' : reasonOf(error)
    throw new LocaldError('env_file_unreadable', `Cannot read the env file "${path}": ${reason}`, {
      cause: error,
      hint: `Make it readable for you (chmod u+r "${path}"), or remove it`,
    })
  }
}

function reasonOf(error: unknown): string {
  return errorCode(error) ?? (error instanceof Error ? error.message : String(error))
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** `NAME=`, `export NAME=` or `NAME: `, at the start of a line; what follows is the value. */
const head = /\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)/y
/** What may follow a closing quote. */
const tail = /[^\S\n]*(?:#.*)?$/my
const quoteKinds: Readonly<Record<string, EnvQuote>> = { "'": 'single', '"': 'double', '`': 'backtick' }

/**
 * Never fails: a line that is no assignment is skipped, and reported when it is not a comment. Values of several lines need
 * quotes. Escapes: `\n` and `\r` in double quotes; no other backslash is touched here.
 */
export function parseEnvFile(text: string, file: string): ParsedEnvFile {
  const source = text.replace(/\r\n?/g, '\n')
  const entries: EnvFileEntry[] = []
  const diagnostics: Diagnostic[] = []
  let line = 1
  let counted = 0
  const lineAt = (offset: number): number => {
    for (; counted < offset; counted++) if (source[counted] === '\n') line++
    return line
  }
  let at = 0
  while (at < source.length) {
    head.lastIndex = at
    const match = head.exec(source)
    if (match === null) {
      const end = endOfLine(source, at)
      const content = source.slice(at, end)
      if (!/^\s*(?:#.*)?$/.test(content)) diagnostics.push(notAnAssignment(content, file, lineAt(at)))
      at = end + 1
      continue
    }
    const nameAt = at + match[0].indexOf(match[1] ?? '', match[0].search(/export\s+[\w.-]/) >= 0 ? 6 : 0)
    const entryLine = lineAt(nameAt)
    const place = { file, line: entryLine, column: nameAt - source.lastIndexOf('\n', nameAt - 1) }
    const written = valueAt(source, at + match[0].length)
    entries.push({ name: match[1] ?? '', ...unquote(written.text), place })
    if (hasOpenQuote(written.text)) diagnostics.push(openQuote(written.text, place, source))
    at = endOfLine(source, written.end) + 1
  }
  return { file, entries, diagnostics }
}

function endOfLine(source: string, from: number): number {
  const end = source.indexOf('\n', from)
  return end < 0 ? source.length : end
}

function notAnAssignment(content: string, file: string, line: number): Diagnostic {
  const indent = content.length - content.trimStart().length
  return {
    severity: 'warning',
    code: 'env-line-ignored',
    message: 'This line is not read: it is not of the form NAME=value',
    file,
    line,
    column: indent + 1,
    source: content,
    length: Math.max(1, content.trim().length),
    hint: 'Start it with "#" if it is a comment; put a value of several lines in quotes',
  }
}

function hasOpenQuote(text: string): boolean {
  return quoteKinds[text.charAt(0)] !== undefined && !text.includes(text.charAt(0), 1)
}

function openQuote(text: string, { file, line, column }: EnvEntry['place'], source: string): Diagnostic {
  const shown = source.split('\n', line)[line - 1] ?? ''
  return {
    severity: 'warning',
    code: 'env-quote-open',
    message: `The quote ${text.charAt(0)} is not closed, so it is part of the value, which ends with this line`,
    file,
    line,
    column,
    source: shown,
    length: Math.max(1, shown.length - column + 1),
    hint: 'Close it after the value',
  }
}

/** The written value, quotes included, and where the rest of its line begins. */
function valueAt(source: string, from: number): { text: string; end: number } {
  let open = from
  while (open < source.length && /\s/.test(source.charAt(open))) open++
  const quote = source.charAt(open)
  if (quoteKinds[quote] !== undefined) {
    const close = closingQuote(source, open, quote)
    if (close !== undefined) return { text: source.slice(open, close + 1), end: close + 1 }
  }
  const lineEnd = endOfLine(source, from)
  const comment = source.indexOf('#', from)
  const end = comment >= 0 && comment < lineEnd ? comment : lineEnd
  return { text: source.slice(from, end).trim(), end: lineEnd }
}

/**
 * The first quote without a backslash before it, if nothing but a comment follows it; else the last one with a backslash
 * for which that holds, so that `"C:\dir\"` is closed too.
 */
function closingQuote(source: string, open: number, quote: string): number | undefined {
  const escaped: number[] = []
  for (let at = source.indexOf(quote, open + 1); at >= 0; at = source.indexOf(quote, at + 1)) {
    if (source[at - 1] === '\\' && at - 1 > open) {
      escaped.push(at)
      continue
    }
    if (endsAfter(source, at + 1)) return at
    break
  }
  return escaped.findLast((at) => endsAfter(source, at + 1))
}

function endsAfter(source: string, at: number): boolean {
  tail.lastIndex = at
  return tail.test(source)
}

function unquote(text: string): { value: string; quote: EnvQuote } {
  const kind = quoteKinds[text.charAt(0)]
  const closed = kind !== undefined && text.length >= 2 && text.endsWith(text.charAt(0))
  const inner = closed ? text.slice(1, -1) : text
  const value = kind === 'double' ? inner.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : inner
  return { value, quote: kind === 'double' || closed ? (kind ?? 'none') : 'none' }
}

/** Where a name is looked up that the file does not define; `undefined` when nobody does. */
export type EnvLookup = (name: string) => string | undefined

/**
 * Replaces `$NAME`, `${NAME}` and `${NAME:-default}` (or `${NAME-default}`) in entries without quotes or in
 * double quotes; `\$` is a dollar sign.
 * A name means the nearest definition above in the same entries, else what `lookup` says, else the default, else nothing; so
 * `PATH=$PATH:bin` means the lower level's PATH, and there are no cycles. `$(…)` stays as it is.
 */
export function expandEnv(entries: readonly EnvFileEntry[], lookup: EnvLookup): readonly ExpandedEntry[] {
  const above = new Map<string, string>()
  return entries.map(({ name, value, quote, place }) => {
    const unresolved: string[] = []
    const literal = quote === 'single' || quote === 'backtick'
    const expanded = literal ? value : expandText(value, (other) => above.get(other) ?? lookup(other), unresolved)
    above.set(name, expanded)
    return { name, value: expanded, place, unresolved }
  })
}

const reference = /\\\$|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_.]*)(:-|-|\})/g

function expandText(text: string, lookup: EnvLookup, unresolved: string[]): string {
  let result = ''
  let at = 0
  for (;;) {
    reference.lastIndex = at
    const match = reference.exec(text)
    if (match === null) return result + text.slice(at)
    result += text.slice(at, match.index)
    at = match.index + match[0].length
    const name = match[1] ?? match[2]
    if (name === undefined) {
      result += '$'
      continue
    }
    const value = lookup(name)
    if (match[3] === undefined || match[3] === '}') {
      if (value === undefined) unresolved.push(name)
      result += value ?? ''
      continue
    }
    const close = closingBrace(text, at)
    if (close === undefined) {
      result += match[0]
      continue
    }
    // As in a shell, `:-` also replaces an empty value, `-` does not.
    const absent = value === undefined || (value === '' && match[3] === ':-')
    result += absent ? expandText(text.slice(at, close), lookup, unresolved) : value
    at = close + 1
  }
}

/** Where the brace closes whose content starts at `from`; defaults may hold references with defaults. */
function closingBrace(text: string, from: number): number | undefined {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  return undefined
}
