// Ctrl-P Ctrl-Q among what is typed, in each of the ways in which a terminal may send them.

/** The plain control character, the kitty keyboard protocol, xterm's modifyOtherKeys. */
const first = String.raw`(?:\x10|\x1b\[112;5(?::1)?u|\x1b\[27;5;112~)`
const second = String.raw`(?:\x11|\x1b\[113;5(?::1)?u|\x1b\[27;5;113~)`
const both = new RegExp(first + second)
const endsWithFirst = new RegExp(`${first}$`)
const beginsWithSecond = new RegExp(`^${second}`)

/** So long a Ctrl-P is held back for what follows it… */
export const holdMs = 300
/** …and so long after it was passed on a Ctrl-Q still detaches. */
const detachWithinMs = 1500

/** Bytes are handled as latin1 text, so that any bytes pass through unchanged. */
export class DetachKeys {
  #held = ''
  #passedAt = -Infinity

  /** What to pass on of the bytes typed, and whether they end with the wish to detach. `now` in milliseconds of any clock. */
  take(bytes: Buffer, now: number): { readonly pass: Buffer; readonly detach: boolean } {
    const typed = bytes.toString('latin1')
    const isLate = now - this.#passedAt < detachWithinMs && beginsWithSecond.test(typed)
    this.#passedAt = -Infinity
    if (isLate) return { pass: Buffer.alloc(0), detach: true }
    const text = this.#held + typed
    const found = both.exec(text)
    this.#held = found === null ? (endsWithFirst.exec(text)?.[0] ?? '') : ''
    const end = found === null ? text.length - this.#held.length : found.index
    return { pass: Buffer.from(text.slice(0, end), 'latin1'), detach: found !== null }
  }

  /** Whether a Ctrl-P is held back; `release` is due `holdMs` later. */
  get isHolding(): boolean {
    return this.#held !== ''
  }

  /** Gives the Ctrl-P that was held back. */
  release(now: number): Buffer {
    const pass = Buffer.from(this.#held, 'latin1')
    if (this.#held !== '') this.#passedAt = now
    this.#held = ''
    return pass
  }
}

/** Reports of place, state, attributes, size and colours, which a terminal sends by itself; the focus coming and going. */
const reply = /^(?:\x1b\[[?>=]?[\d;]*[cnRt]|\x1b\[\?[\d;]*(?:\$y|u)|\x1b\[[IO]|\x1b[\]P][^\x07\x1b]*(?:\x07|\x1b\\))+$/ // oxlint-disable-line no-control-regex -- what it is about

/** Whether these bytes are answers of the terminal and nobody typed them. */
export function isTerminalReply(bytes: Buffer): boolean {
  return bytes[0] === 0x1b && reply.test(bytes.toString('latin1'))
}
