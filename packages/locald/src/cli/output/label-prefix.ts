// The name of a service before each of its lines, aligned and in its colour, as foreman prints it.
import { serviceColour } from './style.ts'
import type { Style } from './style.ts'
import { padEnd, textWidth } from './text-width.ts'

/** `web.1   | `; a label that was not announced (`system`) is bold. */
export type LabelPrefix = (label: string) => string

/** Names that are at least that wide line up with foreman's. */
const leastWidth = 6

/** `labels` decides width and colours. */
export function createLabelPrefix(labels: readonly string[], style: Style): LabelPrefix {
  const width = Math.max(leastWidth, ...labels.map(textWidth))
  const colours = new Map(labels.map((label, index) => [label, serviceColour(index)]))
  const known = new Map<string, string>()
  return (label) => {
    let prefix = known.get(label)
    if (prefix === undefined) {
      prefix = style[colours.get(label) ?? 'bold'](`${padEnd(label, width)} | `)
      known.set(label, prefix)
    }
    return prefix
  }
}

/** Local time of day, `14:03:59`. */
export function clockTime(atMs: number): string {
  const date = new Date(atMs)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}
