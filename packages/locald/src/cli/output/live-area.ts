// A few lines at the end of a terminal that are drawn again and again in the same place.
import type { Screen } from './output.ts'

/** Draws over its last drawing. The cursor is hidden meanwhile. */
export class LiveArea {
  readonly #screen: Screen
  #drawn = 0
  #hidden = false

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Lines must fit the width: a wrapped one would not be drawn over. */
  draw(lines: readonly string[]): void {
    const hide = this.#hidden ? '' : '\x1b[?25l'
    this.#hidden = true
    this.#screen.write(`${hide}${this.#back()}${lines.map((line) => `${line}\n`).join('')}`)
    this.#drawn = lines.length
  }

  /** Writes a line above the area that stays. */
  keep(line: string, lines: readonly string[]): void {
    this.#screen.write(`${this.#back()}${line}\n`)
    this.#drawn = 0
    this.draw(lines)
  }

  /** Folds it away. May be called twice. */
  clear(): void {
    this.#screen.write(`${this.#back()}${this.#hidden ? '\x1b[?25h' : ''}`)
    this.#drawn = 0
    this.#hidden = false
  }

  #back(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}F\x1b[J`
  }
}
