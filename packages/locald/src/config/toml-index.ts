// Where each key and value of a TOML document stands. The parser gives values without places; this gives places without values.
import type { Span } from './source-text.ts'

/** Keys, and positions in lists. */
export type TomlPath = readonly (string | number)[]

export interface TomlIndex {
  /** The key as it is first written: in an assignment or in a table's header. */
  readonly key: (path: TomlPath) => Span | undefined
  /** The value; `undefined` for tables that have only a header. */
  readonly value: (path: TomlPath) => Span | undefined
  /** The value, else the key, of the path or of the nearest table around it; at last the document's start. */
  readonly nearest: (path: TomlPath) => Span
  /** Every path that has a value, in the order of the document. */
  readonly values: readonly TomlPath[]
  /** Where a list or an inline table begins in which the document stops making sense. */
  readonly unfinished: number | undefined
}

/** Expects a document that a TOML parser accepts. Of another, it indexes what comes before the first oddity. */
export function indexToml(text: string): TomlIndex {
  const scanner = new Scanner(text)
  scanner.document()
  const { keys, values, order, unfinished } = scanner
  const key = (path: TomlPath): Span | undefined => keys.get(idOf(path))
  const value = (path: TomlPath): Span | undefined => values.get(idOf(path))
  const nearest = (path: TomlPath): Span => {
    for (let length = path.length; length > 0; length--) {
      const part = path.slice(0, length)
      const found = (length === path.length ? value(part) : undefined) ?? key(part) ?? value(part)
      if (found !== undefined) return found
    }
    return { start: 0, end: 0 }
  }
  return { key, value, nearest, values: order, unfinished }
}

function idOf(path: TomlPath): string {
  return JSON.stringify(path)
}

interface KeyPart extends Span {
  readonly name: string
}

const bareKey = /[A-Za-z0-9_-]+/y
/** A number, date or word: up to what can follow a value, without trailing blanks. Dates may hold one blank. */
const bareValue = /[^\s,\]}#]+(?:[ \t]+\d[^\s,\]}#]*)?/y
const blanks = /[ \t]*/y
const gap = /(?:[ \t\r\n]+|#[^\n]*)*/y
const basicString = /"(?:[^"\\\n]|\\.)*"/y
const literalString = /'[^'\n]*'/y
// Up to two quotes may stand directly before the closing three.
const multilineBasic = /"""(?:[^\\]|\\[\s\S])*?"{3,5}(?!")/y
const multilineLiteral = /'''[\s\S]*?'{3,5}(?!')/y

class Scanner {
  readonly keys = new Map<string, Span>()
  readonly values = new Map<string, Span>()
  readonly order: TomlPath[] = []
  unfinished: number | undefined
  /** How many tables a list of tables has so far. */
  readonly #lists = new Map<string, number>()
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    let table: TomlPath = []
    for (;;) {
      this.#skip(gap)
      if (this.#at >= this.#text.length) return
      const found = this.#peek('[') ? this.#header() : this.#assignment(table) ? table : undefined
      if (found === undefined) return
      table = found
    }
  }

  /** `[a.b]` or `[[a.b]]`; the path of the table that follows. */
  #header(): TomlPath | undefined {
    const isList = this.#text.startsWith('[[', this.#at)
    this.#at += isList ? 2 : 1
    const parts = this.#dottedKey()
    if (parts === undefined || !this.#accept(isList ? ']]' : ']')) return undefined
    const path: (string | number)[] = []
    for (const [index, part] of parts.entries()) {
      path.push(part.name)
      this.#noteKey(path, part)
      const id = idOf(path)
      const count = this.#lists.get(id)
      if (index === parts.length - 1 && isList) {
        this.#lists.set(id, (count ?? 0) + 1)
        path.push(count ?? 0)
        this.#noteKey(path, part)
      } else if (count !== undefined) {
        path.push(count - 1)
      }
    }
    return path
  }

  /** `a.b = value`. */
  #assignment(table: TomlPath): boolean {
    const parts = this.#dottedKey()
    if (parts === undefined || !this.#accept('=')) return false
    const path = [...table]
    for (const part of parts) {
      path.push(part.name)
      this.#noteKey(path, part)
    }
    this.#skip(blanks)
    return this.#value(path)
  }

  #value(path: TomlPath): boolean {
    const start = this.#at
    const id = idOf(path)
    this.order.push(path)
    const known = this.#peek('[')
      ? this.#list(path)
      : this.#peek('{')
        ? this.#inlineTable(path)
        : [multilineBasic, multilineLiteral, basicString, literalString, bareValue].some((form) => this.#match(form))
    this.values.set(id, { start, end: this.#at })
    // The outermost is left last.
    if (!known && /[[{]/.test(this.#text.charAt(start))) this.unfinished = start
    return known
  }

  #list(path: TomlPath): boolean {
    this.#at++
    for (let index = 0; ; index++) {
      this.#skip(gap)
      if (this.#accept(']')) return true
      if (!this.#value([...path, index])) return false
      this.#skip(gap)
      if (!this.#accept(',') && !this.#peek(']')) return false
    }
  }

  #inlineTable(path: TomlPath): boolean {
    this.#at++
    for (;;) {
      this.#skip(gap)
      if (this.#accept('}')) return true
      if (!this.#assignment(path)) return false
      this.#skip(gap)
      if (!this.#accept(',') && !this.#peek('}')) return false
    }
  }

  #dottedKey(): readonly KeyPart[] | undefined {
    const parts: KeyPart[] = []
    do {
      this.#skip(blanks)
      const start = this.#at
      if (this.#match(basicString))
        parts.push({ name: unescape(this.#text.slice(start + 1, this.#at - 1)), start, end: this.#at })
      else if (this.#match(literalString))
        parts.push({ name: this.#text.slice(start + 1, this.#at - 1), start, end: this.#at })
      else if (this.#match(bareKey)) parts.push({ name: this.#text.slice(start, this.#at), start, end: this.#at })
      else return undefined
      this.#skip(blanks)
    } while (this.#accept('.'))
    return parts
  }

  #noteKey(path: TomlPath, { start, end }: Span): void {
    const id = idOf(path)
    if (!this.keys.has(id)) this.keys.set(id, { start, end })
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at)
  }

  #accept(text: string): boolean {
    if (!this.#peek(text)) return false
    this.#at += text.length
    return true
  }

  #match(form: RegExp): boolean {
    form.lastIndex = this.#at
    if (!form.test(this.#text)) return false
    this.#at = form.lastIndex
    return true
  }

  #skip(form: RegExp): void {
    this.#match(form)
  }
}

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\u001B' }

function unescape(text: string): string {
  return text.replace(/\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g, (_, x, u, long, other) => {
    const code: unknown = x ?? u ?? long
    if (typeof code === 'string') return String.fromCodePoint(Number.parseInt(code, 16))
    return escapes[String(other)] ?? String(other)
  })
}
