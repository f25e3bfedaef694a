// Takes the engine's log stream apart: framed by stream (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach),
// each message with its time before it.

export type OutputStream = 'stdout' | 'stderr' | 'pty'

export interface LogMessage {
  readonly stream: OutputStream
  /** Milliseconds since the epoch, with a fraction: when the engine received it. */
  readonly at: number
  readonly bytes: Buffer
}

const headerBytes = 8
/** `2026-11-22T19:40:44.130795093Z `: the engine always writes nine digits. */
const timeBytes = 31
/** The engine cuts a line without end after so many bytes; the next part has a time of its own. */
const longestMessage = 16 * 1024

/** Splits what arrives, in any portions, into messages. */
export interface LogParser {
  push(chunk: Buffer): readonly LogMessage[]
}

/** With a terminal there is one stream, and nothing frames it but the lines themselves. */
export function createLogParser(tty: boolean): LogParser {
  return tty ? new TerminalParser() : new FrameParser()
}

class FrameParser implements LogParser {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): readonly LogMessage[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: LogMessage[] = []
    while (rest.length >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(4)
      if (rest.length < end) break
      const message = timed(rest[0] === 2 ? 'stderr' : 'stdout', rest.subarray(headerBytes, end))
      if (message !== null) messages.push(message)
      rest = rest.subarray(end)
    }
    this.#rest = rest
    return messages
  }
}

class TerminalParser implements LogParser {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): readonly LogMessage[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: LogMessage[] = []
    for (;;) {
      const end = this.#endOfMessage(rest)
      if (end === null) break
      const message = timed('pty', rest.subarray(0, end))
      if (message !== null) messages.push(message)
      rest = rest.subarray(end)
    }
    this.#rest = rest
    return messages
  }

  /** A message ends with its line, or where the engine cut it: there the next begins with a time. */
  #endOfMessage(rest: Buffer): number | null {
    const newline = rest.indexOf(10)
    const cut = timeBytes + longestMessage
    if (newline !== -1 && newline < cut) return newline + 1
    if (rest.length < cut + timeBytes) return null
    return timeOf(rest.subarray(cut)) === null ? (newline === -1 ? null : newline + 1) : cut
  }
}

function timed(stream: OutputStream, bytes: Buffer): LogMessage | null {
  const at = timeOf(bytes)
  return at === null ? null : { stream, at, bytes: bytes.subarray(timeBytes) }
}

/** Null: no time stands there. */
function timeOf(bytes: Buffer): number | null {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z $/.exec(bytes.toString('latin1', 0, timeBytes))
  return match === null ? null : Date.parse(`${match[1]}Z`) + Number(match[2]) / 1e6
}

/** A time as the engine tells it elsewhere: with up to nine digits, or none. */
export function parseEngineTime(text: string): number {
  const match = /^(.*?)(?:\.(\d+))?Z$/.exec(text)
  if (match === null) return Date.parse(text)
  return Date.parse(`${match[1]}Z`) + Number(`0.${match[2] ?? '0'}`) * 1000
}

/** Messages of one stream that came within 5 ms of each other share a chunk, which has the time of the last of them. */
export function joinMessages(messages: readonly LogMessage[]): readonly LogMessage[] {
  const chunks: { stream: OutputStream; first: number; at: number; parts: Buffer[]; length: number }[] = []
  for (const { stream, at, bytes } of messages) {
    const last = chunks.at(-1)
    const fits = last !== undefined && last.stream === stream && at - last.first <= 5 && at >= last.at
    if (fits && last.length + bytes.length <= longestMessage) {
      last.parts.push(bytes)
      last.at = at
      last.length += bytes.length
    } else chunks.push({ stream, first: at, at, parts: [bytes], length: bytes.length })
  }
  return chunks.map(({ stream, at, parts }) => ({
    stream,
    at,
    bytes: parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts),
  }))
}
