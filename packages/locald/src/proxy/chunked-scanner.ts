// Takes a chunked body apart, strictly, as its bytes come.
import { token, isTrailer } from './field-roles.ts'
import { eachField, isAmbiguous } from './head-lines.ts'

/** Of a chunk's line with its extensions, and of all trailers. */
const mostLineBytes = 4096
const mostTrailerBytes = 16 * 1024

/** The bytes of what is not data are few: they are looked at one by one. */
export class ChunkedScanner {
  #step: 'size' | 'data' | 'data-end' | 'trailers' | 'done' | 'bad' = 'size'
  #line = ''
  #left = 0
  /** Name and value in turns; whole when it is done. Without those that must not come in a trailer. */
  readonly trailers: string[] = []

  get isDone(): boolean {
    return this.#step === 'done'
  }

  /**
   * Gives the data of `buffer` from `start` on to `take`, piece by piece. Returns where the body ended, or the buffer did.
   * -1: this is not a chunked body.
   */
  scan(buffer: Buffer, start: number, take: (data: Buffer) => void): number {
    let at = start
    while (at < buffer.length && this.#step !== 'done' && this.#step !== 'bad') {
      at = this.#step === 'data' ? this.#takeData(buffer, at, take) : this.#takeLine(buffer, at)
    }
    return this.#step === 'bad' ? -1 : at
  }

  #takeData(buffer: Buffer, at: number, take: (data: Buffer) => void): number {
    const end = Math.min(buffer.length, at + this.#left)
    take(buffer.subarray(at, end))
    this.#left -= end - at
    if (this.#left === 0) this.#step = 'data-end'
    return end
  }

  #takeLine(buffer: Buffer, at: number): number {
    const lineFeed = buffer.indexOf(0x0a, at)
    const end = lineFeed === -1 ? buffer.length : lineFeed + 1
    this.#line += buffer.toString('latin1', at, end)
    const isWhole = lineFeed !== -1
    if (this.#line.length > (this.#step === 'trailers' ? mostTrailerBytes : mostLineBytes)) this.#step = 'bad'
    else if (isWhole && !this.#line.endsWith('\r\n')) this.#step = 'bad'
    else if (isWhole) this.#endLine()
    return end
  }

  #endLine(): void {
    if (this.#step === 'trailers') {
      if (this.#line !== '\r\n' && !this.#line.endsWith('\r\n\r\n')) return
      this.#step = this.#takeTrailers(this.#line.slice(0, this.#line === '\r\n' ? 0 : -4)) ? 'done' : 'bad'
      return
    }
    const line = this.#line.slice(0, -2)
    this.#line = ''
    if (this.#step === 'data-end') {
      this.#step = line === '' ? 'size' : 'bad'
      return
    }
    const size = chunkLine.exec(line)?.[1]
    this.#left = size === undefined ? -1 : Number.parseInt(size, 16)
    this.#step = this.#left === -1 ? 'bad' : this.#left === 0 ? 'trailers' : 'data'
  }

  #takeTrailers(text: string): boolean {
    if (isAmbiguous(text)) return false
    return eachField(text, 0, (name, value) => {
      if (!token.test(name)) return false
      if (isTrailer(name)) this.trailers.push(name, value)
      return true
    })
  }
}

/** A size of up to 2^48, and extensions, which are nobody's business behind the proxy. */
const chunkLine = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/u

/** Data as one chunk. */
export function chunkOf(data: Buffer): Buffer {
  const size = data.length.toString(16)
  const chunk = Buffer.allocUnsafe(size.length + data.length + 4)
  chunk.write(size, 0, 'latin1')
  chunk.write('\r\n', size.length, 'latin1')
  data.copy(chunk, size.length + 2)
  chunk.write('\r\n', size.length + 2 + data.length, 'latin1')
  return chunk
}

/** What ends a chunked body. */
export function lastChunk(trailers: readonly string[]): Buffer {
  if (trailers.length === 0) return plainLastChunk
  return Buffer.from(`0\r\n${fieldLines(trailers)}\r\n`, 'latin1')
}

const plainLastChunk = Buffer.from('0\r\n\r\n', 'latin1')

/** Fields, name and value in turns, as lines of a head. */
export function fieldLines(fields: readonly string[]): string {
  let text = ''
  for (let index = 0; index < fields.length; index += 2) text += `${fields[index]}: ${fields[index + 1]}\r\n`
  return text
}
