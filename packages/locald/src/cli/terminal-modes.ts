// What a program has switched on a terminal, so that it can be switched back when the program is left.

/** Private modes that are on by default: wrapping at the border, and the cursor. */
const onByDefault: ReadonlySet<number> = new Set([7, 25])

/** Longest sequence that may be cut by the end of a chunk. */
const longestSequence = 64

const sequences =
  /\x1b(?:\[\?([\d;]+)([hl])|\[([\d;]*)r|\[[0-6]? q|([=>])|\[>([\d;]*)(u)|\[<(\d*)u|\[>4(;?[\d;]*)m|(c)|\[4([hl]))/g // oxlint-disable-line no-control-regex -- what it is about

/** Watches what is written to a terminal. https://invisible-island.net/xterm/ctlseqs/ctlseqs.html */
export class TerminalModes {
  #tail = ''
  /** Those that are not as they are by default. */
  #changed = new Set<number>()
  #hasMargins = false
  #hasCursorShape = false
  #hasKeypad = false
  #hasOtherKeys = false
  #inserts = false
  #keyboards = 0

  /** Takes note of what was written. */
  watch(bytes: Buffer): void {
    const text = this.#tail + bytes.toString('latin1')
    let end = 0
    for (const match of text.matchAll(sequences)) {
      this.#apply(match)
      end = match.index + match[0].length
    }
    const escape = text.lastIndexOf('\x1b')
    this.#tail = escape >= end && text.length - escape < longestSequence ? text.slice(escape) : ''
  }

  /** What to write so that the terminal is as it was; colours and the character set are always put back. */
  reset(): string {
    const parts = [
      this.#hasMargins ? '\x1b7\x1b[r\x1b8' : '',
      this.#keyboards > 0 ? `\x1b[<${this.#keyboards}u` : '',
      this.#hasOtherKeys ? '\x1b[>4;0m' : '',
      this.#hasCursorShape ? '\x1b[0 q' : '',
      this.#hasKeypad ? '\x1b>' : '',
      this.#inserts ? '\x1b[4l' : '',
      ...[...this.#changed].map((mode) => `\x1b[?${mode}${onByDefault.has(mode) ? 'h' : 'l'}`),
      '\x1b(B\x1b[0m',
    ]
    this.#clear()
    return parts.join('')
  }

  #clear(): void {
    this.#tail = ''
    this.#changed = new Set()
    this.#hasMargins = false
    this.#hasCursorShape = false
    this.#hasKeypad = false
    this.#hasOtherKeys = false
    this.#inserts = false
    this.#keyboards = 0
  }

  #apply(match: RegExpExecArray): void {
    const [whole, modes, onOff, margins, keypad, , pushed, popped, otherKeys, full, insert] = match
    if (modes !== undefined) this.#setModes(modes, onOff === 'h')
    else if (margins !== undefined) this.#hasMargins = margins !== ''
    else if (keypad !== undefined) this.#hasKeypad = keypad === '='
    else if (pushed !== undefined) this.#keyboards++
    else if (popped !== undefined) this.#keyboards = Math.max(0, this.#keyboards - Number(popped === '' ? 1 : popped))
    else if (otherKeys !== undefined) this.#hasOtherKeys = !/^;?0?$/.test(otherKeys)
    else if (full !== undefined) this.#clear()
    else if (insert !== undefined) this.#inserts = insert === 'h'
    else this.#hasCursorShape = !/\[0? q$/.test(whole)
  }

  #setModes(list: string, isOn: boolean): void {
    for (const mode of list.split(';').map(Number)) {
      if (isOn === onByDefault.has(mode)) this.#changed.delete(mode)
      else this.#changed.add(mode)
    }
  }
}
