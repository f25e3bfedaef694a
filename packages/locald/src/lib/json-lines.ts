// Messages over a stream: one JSON value a line.
import { StringDecoder } from 'node:string_decoder'
import type { Duplex } from 'node:stream'

export interface JsonLinesOptions {
  readonly onMessage: (message: unknown) => void
  /** The other side has ended, or the stream failed. Called once. */
  readonly onEnd: (error?: Error) => void
  /**
   * Reads no further while this side's own messages are not being taken, so that they cannot pile up. Only one side of a
   * connection may do that: two would wait for each other.
   */
  readonly isPatient?: boolean
  /** What was sent has left this process. */
  readonly onDrain?: () => void
}

/** Both directions of one connection. A line that is not JSON ends it. */
export class JsonLines {
  readonly #stream: Duplex
  readonly #options: JsonLinesOptions
  readonly #decoder = new StringDecoder('utf8')
  #partial: string[] = []
  #hasEnded = false

  constructor(stream: Duplex, options: JsonLinesOptions) {
    this.#stream = stream
    this.#options = options
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('drain', () => {
      if (options.isPatient === true) stream.resume()
      options.onDrain?.()
    })
    stream.on('error', (error) => this.#end(error))
    stream.on('close', () => this.#end())
    stream.on('end', () => this.#end())
  }

  /** False when messages are waiting to be taken by the other side; the message is kept all the same. */
  send(message: unknown): boolean {
    if (this.#hasEnded) return false
    const isTaken = this.#stream.write(`${JSON.stringify(message)}\n`)
    if (!isTaken && this.#options.isPatient === true) this.#stream.pause()
    return isTaken
  }

  /** Whether messages wait to be taken by the other side. */
  get isCongested(): boolean {
    return this.#stream.writableNeedDrain
  }

  close(): void {
    this.#stream.destroy()
  }

  #read(chunk: Buffer): void {
    const [first = '', ...others] = this.#decoder.write(chunk).split('\n')
    this.#partial.push(first)
    for (const next of others) {
      const line = this.#partial.join('')
      this.#partial = [next]
      if (this.#hasEnded) return
      if (line !== '') this.#receive(line)
    }
  }

  #receive(line: string): void {
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch (cause) {
      this.#end(new Error('Cannot read a message: it is not JSON', { cause }))
      return
    }
    this.#options.onMessage(message)
  }

  #end(error?: Error): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.destroy()
    this.#options.onEnd(error)
  }
}
