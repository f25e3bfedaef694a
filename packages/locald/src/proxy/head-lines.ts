// Takes the lines of a head apart, strictly: what two programs could read in two ways is refused.

/** Control characters, a line end that is not CRLF, and lines that continue the one before. */
const ambiguous = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?:^|[^\r])\n|\n[ \t]/u // oxlint-disable-line no-control-regex

/** A head's text, latin1, without the empty line at its end. */
export function isAmbiguous(text: string): boolean {
  return ambiguous.test(text)
}

/** Calls for each field from a position on. Returns false at once when a line is no field, or `take` refuses it. */
export function eachField(text: string, start: number, take: (name: string, value: string) => boolean): boolean {
  let at = start
  while (at < text.length) {
    let end = text.indexOf('\r\n', at)
    if (end === -1) end = text.length
    const colon = text.indexOf(':', at)
    if (colon <= at || colon > end) return false
    if (!take(text.slice(at, colon), trimmed(text, colon + 1, end))) return false
    at = end + 2
  }
  return true
}

function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** The tokens of a list such as `Connection`'s, in lower case. */
export function listOf(value: string): readonly string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

/** Fields, name and value in turns, without those of these names (lower case). */
export function withoutFields(fields: readonly string[], names: readonly string[]): string[] {
  const rest: string[] = []
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? ''
    if (!names.includes(name.toLowerCase())) rest.push(name, fields[index + 1] ?? '')
  }
  return rest
}

/** The value of a `Content-Length`, which may be a list of the same number; null: it is none. */
export function lengthOf(value: string): number | null {
  if (digits.test(value)) return Number(value)
  const all = new Set(value.split(',').map((one) => one.trim()))
  const [only = ''] = all
  return all.size === 1 && digits.test(only) ? Number(only) : null
}

/** Up to 2^53. */
const digits = /^[0-9]{1,15}$/u
