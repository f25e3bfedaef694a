// As much of a WebSocket as a test needs: short texts there and back, over whichever stream was agreed on.
import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'

/** A key for the handshake, and what the service has to answer. */
export function webSocketKey(): { readonly key: string; readonly accept: string } {
  const key = randomBytes(16).toString('base64')
  return { key, accept: createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64') }
}

/** Sends texts of up to 125 bytes, one at a time, and resolves with the text that comes back. */
export function askOver(stream: Duplex): (text: string) => Promise<string> {
  let buffer = Buffer.alloc(0)
  let told: (() => void) | null = null
  stream.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    told?.()
  })
  const nextText = (): string | null => {
    const length = buffer[1] ?? 0
    if (buffer.length < 2 || buffer.length < 2 + length) return null
    const text = buffer.toString('utf8', 2, 2 + length)
    buffer = buffer.subarray(2 + length)
    return text
  }
  return async (text) => {
    stream.write(masked(text))
    return await new Promise((resolve, reject) => {
      told = () => {
        const answer = nextText()
        if (answer !== null) resolve(answer)
      }
      stream.once('close', () => reject(new Error('The WebSocket was closed')))
      told()
    })
  }
}

function masked(text: string): Buffer {
  const mask = randomBytes(4)
  const data = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([Buffer.from([0x81, 0x80 | data.length]), mask, data])
}
