// Frames of HTTP/2 as a test wants them, also such as no client would send.

export const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export const frameTypes = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const

export const endStream = 0x1
export const endHeaders = 0x4

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Names and values in turns, each shorter than 127 bytes, as literals. */
export function headerBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let index = 0; index < fields.length; index += 2) {
    parts.push(Buffer.from([0]))
    for (const text of [fields[index] ?? '', fields[index + 1] ?? '']) {
      const bytes = Buffer.from(text, 'latin1')
      parts.push(Buffer.from([bytes.length]), bytes)
    }
  }
  return Buffer.concat(parts)
}

export function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
