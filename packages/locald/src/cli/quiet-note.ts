// A line that is shown when a program has stopped writing for a moment: some clear the screen just when they are ready.

const quietMs = 300
const longestMs = 3000

export class QuietNote implements Disposable {
  readonly #note: (text: string) => void
  #text: string | null = null
  #timer: NodeJS.Timeout | undefined
  #latest = 0

  constructor(note: (text: string) => void) {
    this.#note = note
  }

  /** Replaces one that was not shown yet. */
  show(text: string): void {
    this.#text = text
    this.#latest = Date.now() + longestMs
    this.disturb()
  }

  /** The program has written something. */
  disturb(): void {
    if (this.#text === null) return
    clearTimeout(this.#timer)
    const waitMs = Math.min(quietMs, this.#latest - Date.now())
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, waitMs))
  }

  /** Shows what is still waiting. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#flush()
  }

  #flush(): void {
    const text = this.#text
    this.#text = null
    if (text !== null) this.#note(text)
  }
}
