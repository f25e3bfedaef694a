// The colours of a line of output as spans. Classes, not styles: a strict policy allows no others, and a theme can choose
// what red looks like on its ground.
import { safeText } from '../../lib/terminal-text.ts'
import { escapeHtml } from './escape-html.ts'

interface Pen {
  readonly foreground: number | null
  readonly background: number | null
  /** Classes: `bo`ld, `di`m, `it`alic, `un`derlined. */
  readonly marks: ReadonlySet<string>
  readonly isInverse: boolean
}

const plainPen: Pen = { foreground: null, background: null, marks: new Set(), isInverse: false }
const marksByCode: ReadonlyMap<number, string> = new Map([
  [1, 'bo'],
  [2, 'di'],
  [3, 'it'],
  [4, 'un'],
])
/** What ends which marks. */
const endsByCode: ReadonlyMap<number, readonly string[]> = new Map([
  [22, ['bo', 'di']],
  [23, ['it']],
  [24, ['un']],
])

/** HTML of one line: text escaped, colours as `<span class="f1">`, all else that a terminal acts on removed. Pure. */
export function ansiToHtml(line: string): string {
  let pen = plainPen
  let html = ''
  // oxlint-disable-next-line no-control-regex -- what is left in it by then are colours
  for (const part of safeText(line).split(/(\u001B\[[0-9;:]*m)/u)) {
    if (part.startsWith('\u001B[')) pen = afterCodes(pen, part.slice(2, -1))
    else if (part !== '') html += span(pen, part)
  }
  return html
}

function span({ foreground, background, marks, isInverse }: Pen, text: string): string {
  const [front, ground] = isInverse ? [background ?? 0, foreground ?? 7] : [foreground, background]
  const classes = [...marks, ...(front === null ? [] : [`f${front}`]), ...(ground === null ? [] : [`g${ground}`])]
  return classes.length === 0 ? escapeHtml(text) : `<span class="${classes.join(' ')}">${escapeHtml(text)}</span>`
}

function afterCodes(before: Pen, parameters: string): Pen {
  const codes = parameters.split(/[;:]/u).map((code) => Number(code === '' ? 0 : code))
  let pen = before
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0
    if (code === 38 || code === 48) {
      const { colour, length } = extendedColour(codes.slice(at + 1))
      pen = code === 38 ? { ...pen, foreground: colour } : { ...pen, background: colour }
      at += length
    } else pen = afterCode(pen, code)
  }
  return pen
}

function afterCode(pen: Pen, code: number): Pen {
  if (code === 0) return plainPen
  const mark = marksByCode.get(code)
  if (mark !== undefined) return { ...pen, marks: new Set([...pen.marks, mark]) }
  const ended = endsByCode.get(code)
  if (ended !== undefined) return { ...pen, marks: new Set([...pen.marks].filter((one) => !ended.includes(one))) }
  if (code === 7 || code === 27) return { ...pen, isInverse: code === 7 }
  if (code === 39) return { ...pen, foreground: null }
  if (code === 49) return { ...pen, background: null }
  if (code >= 30 && code <= 37) return { ...pen, foreground: code - 30 }
  if (code >= 90 && code <= 97) return { ...pen, foreground: code - 82 }
  if (code >= 40 && code <= 47) return { ...pen, background: code - 40 }
  if (code >= 100 && code <= 107) return { ...pen, background: code - 92 }
  return pen
}

/** After 38 or 48: `5;N` or `2;R;G;B`, as the nearest of the sixteen that a theme has. */
function extendedColour(codes: readonly number[]): { readonly colour: number | null; readonly length: number } {
  const [form, first = 0, second = 0, third = 0] = codes
  if (form === 5) return { colour: ofPalette(first), length: 2 }
  if (form === 2) return { colour: nearest(first, second, third), length: 4 }
  return { colour: null, length: codes.length }
}

/** 0 to 15 are the theme's own, then a cube of 6 × 6 × 6, then greys. */
function ofPalette(index: number): number | null {
  if (index < 0 || index > 255) return null
  if (index < 16) return index
  if (index >= 232) {
    const grey = (index - 232) * 10 + 8
    return nearest(grey, grey, grey)
  }
  const level = (step: number): number => (step % 6) * 51
  const cube = index - 16
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6)), level(cube))
}

/** By hue: which of red, green and blue are near the strongest of them. */
function nearest(red: number, green: number, blue: number): number {
  const strongest = Math.max(red, green, blue)
  const weakest = Math.min(red, green, blue)
  if (strongest - weakest < 32) return strongest < 64 ? 0 : strongest < 144 ? 8 : strongest < 208 ? 7 : 15
  const isOn = (part: number): number => (part > weakest + (strongest - weakest) / 2 ? 1 : 0)
  const hue = isOn(red) + 2 * isOn(green) + 4 * isOn(blue)
  return strongest > 200 ? hue + 8 : hue
}
