// How many columns of a terminal a text takes, and cutting and padding by that.

/** Characters of Unicode's East Asian Wide and Fullwidth classes and emoji, as ranges. https://www.unicode.org/reports/tr11/ */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

const plainText = /^[\x20-\x7e]*$/
const escapeSequences = /\x1b\[[0-9;]*m/g // oxlint-disable-line no-control-regex -- what it is about

/** Columns that a text without line breaks takes; colours take none. */
export function textWidth(text: string): number {
  if (plainText.test(text)) return text.length
  let width = 0
  for (const character of charactersOf(text.replace(escapeSequences, ''))) width += characterWidth(character)
  return width
}

/** At most `width` columns of a text without colours, with `…` where something was cut off. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  if (width <= 0) return ''
  let kept = ''
  let used = 0
  for (const character of charactersOf(text)) {
    const columns = characterWidth(character)
    if (used + columns > width - 1) break
    kept += character
    used += columns
  }
  return `${kept}…`
}

/** Padded with spaces to `width` columns; a wider text stays as it is. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)))
}

/** As `padEnd`, with the spaces in front. */
export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - textWidth(text))) + text
}

function* charactersOf(text: string): Generator<string> {
  if (plainText.test(text)) yield* text
  // Loading the segmenter's data takes milliseconds, so only texts that need it pay for it.
  else for (const { segment } of new Intl.Segmenter().segment(text)) yield segment
}

function characterWidth(character: string): number {
  // These two stand in here, because the classes of characters in them are looked up when an expression is made.
  if (/\p{Emoji_Presentation}|\ufe0f/u.test(character)) return 2
  if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(character)) return 0
  const code = character.codePointAt(0) ?? 0
  return wideRanges.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}
