// Makes what programs print harmless where it is shown among other things: one line, no power over the terminal.

const escape = 0x1b
const bell = 0x07
const tab = 0x09
const lineFeed = 0x0a
/** What `isControl` is true for. */
// oxlint-disable-next-line no-control-regex -- controls are what this is about
const anyControl = /[\0-\x08\x0b-\x1f\x7f-\x9f]/
const reset = '\u001b[0m'

/**
 * Keeps text and its colours (SGR), and ends what colours are left on. Removes all else that a terminal acts on:
 * cursor movement, erasing, titles, the clipboard, other control characters; of hyperlinks the text stays.
 */
export function safeText(text: string): string {
  return clean(text, true)
}

/** Removes everything that a terminal acts on, colours too. Line feeds and tabs stay. */
export function stripAnsi(text: string): string {
  return clean(text, false)
}

/** One pass over the text: each character is looked at a bounded number of times, whatever it holds. */
function clean(text: string, keepColours: boolean): string {
  if (!anyControl.test(text)) return text
  let result = ''
  let colour = false
  let copied = 0
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (!isControl(code)) {
      at++
      continue
    }
    result += text.slice(copied, at)
    const end = controlEnd(text, at)
    if (keepColours && isColour(text, at, end)) {
      const sequence = text.slice(at, end)
      result += sequence
      colour = !isReset(sequence)
    }
    at = end
    copied = end
  }
  if (copied === 0) return text
  result += text.slice(copied)
  return colour ? result + reset : result
}

/** C0 but for tab and line feed, DEL, and C1, which terminals take for the same controls as `ESC` and a letter. */
function isControl(code: number): boolean {
  if (code >= 0x20) return code >= 0x7f && code <= 0x9f
  return code !== tab && code !== lineFeed
}

function isColour(text: string, start: number, end: number): boolean {
  if (text.charCodeAt(start) !== escape || text[start + 1] !== '[' || text[end - 1] !== 'm') return false
  for (let at = start + 2; at < end - 1; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x30 || code > 0x3b) return false
  }
  return end > start + 2
}

/** Parameters of nothing but zeros. What ends colours in another way gets a reset more than it needs, which shows nowhere. */
function isReset(sequence: string): boolean {
  return /^[0;]*m$/.test(sequence.slice(2))
}

/** Where the control that begins at `start` ends. No sequence goes beyond its line. */
function controlEnd(text: string, start: number): number {
  const code = text.charCodeAt(start)
  if (code === escape) {
    // The two-character form of a C1 control: `ESC [` is U+009B.
    const next = text.charCodeAt(start + 1)
    if (next >= 0x40 && next <= 0x5f) return bodyEnd(text, next + 0x40, start + 2)
    return escapeEnd(text, start + 1)
  }
  return bodyEnd(text, code, start + 1)
}

function bodyEnd(text: string, introducer: number, start: number): number {
  switch (introducer) {
    case 0x9b:
      return controlSequenceEnd(text, start)
    case 0x90: // device control
    case 0x98: // start of string
    case 0x9d: // operating system command: title, clipboard, hyperlink
    case 0x9e: // privacy message
    case 0x9f: // application command
      return stringEnd(text, start)
    default:
      return start
  }
}

/** After parameters, intermediates and the final character; a character that fits none of them is left in the text. */
function controlSequenceEnd(text: string, start: number): number {
  let at = start
  while (isBetween(text.charCodeAt(at), 0x30, 0x3f)) at++
  while (isBetween(text.charCodeAt(at), 0x20, 0x2f)) at++
  return isBetween(text.charCodeAt(at), 0x40, 0x7e) ? at + 1 : at
}

/** After `ESC`, intermediates and a final character: character sets, save and restore of the cursor. */
function escapeEnd(text: string, start: number): number {
  let at = start
  while (isBetween(text.charCodeAt(at), 0x20, 0x2f)) at++
  return isBetween(text.charCodeAt(at), 0x30, 0x7e) ? at + 1 : at
}

/** After the terminator; another control ends the string too, and so does the end of the line. */
function stringEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === bell || code === 0x9c) return at + 1
    if (code === escape) return text[at + 1] === '\\' ? at + 2 : at
    if (code === lineFeed || code === 0x18 || code === 0x1a) return at
  }
  return text.length
}

function isBetween(code: number, low: number, high: number): boolean {
  return code >= low && code <= high
}
