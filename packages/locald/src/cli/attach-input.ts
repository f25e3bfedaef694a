// Sends what is typed, in order, one request at a time; what is typed meanwhile goes together into the next.
import type { AttachInput } from '@locald/protocol'

/** Bytes of one request. */
const mostBytes = 64 * 1024

interface Piece {
  readonly bytes: Buffer
  readonly reply: boolean
}

export interface InputSenderOptions {
  readonly send: (input: Pick<AttachInput, 'seq' | 'data' | 'reply'>) => Promise<{ readonly taken: boolean }>
  /** The service did not take it. */
  readonly onRefused: () => void
  readonly onError: (error: unknown) => void
}

export class InputSender {
  readonly #options: InputSenderOptions
  #pieces: Piece[] = []
  #seq = 0
  #sending: Promise<void> | null = null

  constructor(options: InputSenderOptions) {
    this.#options = options
  }

  /** `reply`: the terminal said it by itself. Empty bytes tell the size alone. */
  add(bytes: Buffer, reply = false): void {
    const last = this.#pieces.at(-1)
    if (last !== undefined && last.reply === reply && last.bytes.length + bytes.length <= mostBytes) {
      this.#pieces[this.#pieces.length - 1] = { bytes: Buffer.concat([last.bytes, bytes]), reply }
    } else {
      for (let at = 0; at === 0 || at < bytes.length; at += mostBytes) {
        this.#pieces.push({ bytes: bytes.subarray(at, at + mostBytes), reply })
      }
    }
    this.#sending ??= this.#sendAll()
  }

  /** Resolves when everything has been sent. */
  async drained(): Promise<void> {
    await this.#sending
  }

  async #sendAll(): Promise<void> {
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      try {
        const { bytes, reply } = piece
        const data = bytes.toString('base64')
        const { taken } = await this.#options.send({ seq: ++this.#seq, data, ...(reply ? { reply } : {}) })
        if (!taken && bytes.length > 0) this.#options.onRefused()
      } catch (error) {
        this.#pieces = []
        this.#options.onError(error)
      }
    }
    this.#sending = null
  }
}
