// Finds the lines that match an expression, in much text at once.
import { isAscii } from 'node:buffer'
import { stripAnsi } from '../lib/terminal-text.ts'
import { requiredText } from './required-text.ts'

const escape = 0x1b
const lineFeed = 0x0a

/** Colours and the like are no part of what is searched. */
export class LineSearch {
  readonly source: string
  /** There is one way to match at each place, so that it cannot take long. */
  readonly isQuick: boolean
  readonly #line: RegExp
  /** Finds in many lines at once where one may match; null when what lies beside a line may matter to the expression. */
  readonly #many: RegExp | null
  readonly #required: Buffer | null

  constructor(expression: RegExp) {
    const { source, flags } = expression
    this.source = source
    this.isQuick = !/[*+?{|]/.test(source)
    this.#line = new RegExp(source, flags.replace(/[gy]/g, ''))
    // If it matches in a line, it matches in the text around it, too, from the same place on. Not if it looks around.
    const isLocal = !/\(\?<?[=!]/.test(source)
    this.#many = isLocal ? new RegExp(source, `${flags.replace(/[gym]/g, '')}gm`) : null
    const required = requiredText(expression)
    this.#required = required === null ? null : Buffer.from(required)
  }

  matches(line: string): boolean {
    return this.#line.test(line.includes('\u001b') ? stripAnsi(line) : line)
  }

  /**
   * For lines that all end with a line feed: tells, from where a line begins, where the next one begins that may match, or
   * the length when there is none.
   */
  candidates(lines: Buffer): (from: number) => number {
    const [required, many] = [this.#required, this.#many]
    if (lines.includes(escape)) {
      return this.#mayMatch(lines.toString()) ? (from) => from : () => lines.length
    }
    if (required !== null) return (from) => lineAt(lines, lines.indexOf(required, from))
    if (many === null) return (from) => from
    if (!isAscii(lines)) return this.#mayMatch(lines.toString()) ? (from) => from : () => lines.length
    const text = lines.toString('latin1')
    return (from) => {
      many.lastIndex = from
      return lineAt(lines, many.exec(text)?.index ?? -1)
    }
  }

  /** False: no line of this text matches. */
  #mayMatch(lines: string): boolean {
    if (this.#many === null) return true
    this.#many.lastIndex = 0
    return this.#many.test(stripAnsi(lines.replaceAll('\r', '\n')))
  }
}

/** Where the line begins that this place is in, be it its line feed. */
function lineAt(lines: Buffer, place: number): number {
  if (place === -1) return lines.length
  return place === 0 ? 0 : lines.lastIndexOf(lineFeed, place - 1) + 1
}
