// The encoding of certificates, as far as it has to be read and written by hand: tag, length, content.
// https://www.itu.int/rec/T-REC-X.690

/** One element of DER. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
}

/** One element; `content` is concatenated. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(body.length)]), body])
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length]
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return [0x80 | digits.length, ...digits]
}

/** The elements that follow one another in `bytes`. Throws when an element is longer than what is there. */
export function readDer(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = []
  let offset = 0
  while (offset < bytes.length) {
    const tag = bytes.readUInt8(offset)
    const first = bytes.readUInt8(offset + 1)
    const digits = first < 0x80 ? 0 : first & 0x7f
    const length = digits === 0 ? first : bytes.readUIntBE(offset + 2, digits)
    const start = offset + 2 + digits
    if (start + length > bytes.length) throw new RangeError('Cannot read DER: an element is cut off')
    elements.push({ tag, content: bytes.subarray(start, start + length) })
    offset = start + length
  }
  return elements
}
