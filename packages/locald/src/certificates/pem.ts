// PEM and the bytes inside of it. By hand, as Node's own way goes through a parser of keys that takes milliseconds.
// https://www.rfc-editor.org/rfc/rfc7468

/** The text form of these bytes, with a line feed at its end. */
export function pemOf(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/gu) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The bytes of the first block. Throws when there is none. */
export function bytesOfPem(text: string): Buffer {
  const content = /-----BEGIN [^-]+-----([\s\S]*?)-----END/u.exec(text)?.[1]
  if (content === undefined) throw new Error('It is no PEM')
  return Buffer.from(content, 'base64')
}
