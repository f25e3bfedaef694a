// Finds the lines that match an expression, in much text at once.
import { stripAnsi } from '../lib/terminal-text.ts'

/** Colours and the like are no part of what is searched. */
export class LineSearch {
  readonly #line: RegExp
  /** Finds in many lines at once where one may match; null when what lies beside a line may matter to the expression. */
  readonly #many: RegExp | null

  constructor(expression: RegExp) {
    const { source, flags } = expression
    this.#line = new RegExp(source, flags.replace(/[gy]/g, ''))
    // If it matches in a line, it matches in the text around it, too, from the same place on. Not if it looks around.
    const isLocal = !/\(\?<?[=!]/.test(source)
    this.#many = isLocal ? new RegExp(source, `${flags.replace(/[gym]/g, '')}gm`) : null
  }

  matches(line: string): boolean {
    return this.#line.test(visible(line))
  }

  /** False: no line of this text matches. */
  mayMatch(lines: string): boolean {
    if (this.#many === null) return true
    this.#many.lastIndex = 0
    return this.#many.test(lines.includes('\u001b') ? stripAnsi(lines.replaceAll('\r', '\n')) : lines)
  }

  /**
   * Where the next line that may match begins, from the beginning of a line on; the length of the text when there is none.
   * Only for text without escapes. Lines end with a line feed.
   */
  next(lines: string, from: number): number {
    if (this.#many === null) return from
    this.#many.lastIndex = from
    const found = this.#many.exec(lines)
    if (found === null) return lines.length
    return found.index === 0 ? 0 : lines.lastIndexOf('\n', found.index - 1) + 1
  }
}

function visible(text: string): string {
  return text.includes('\u001b') ? stripAnsi(text) : text
}
