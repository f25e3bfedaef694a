// Where to look at what was brought up, in one line.
import type { Style } from './style.ts'

/** More of them are no help in one line; the table above it has them all. */
const addressesShown = 5

/** `all` has at least one; replicas share theirs. */
export function openLine(all: readonly string[], style: Style): string {
  const addresses = [...new Set(all)]
  // One more would take as much room as to say that there is one more.
  const shown = addresses.length <= addressesShown + 1 ? addresses : addresses.slice(0, addressesShown)
  const more = addresses.length - shown.length
  return `Open  ${[...shown.map(style.cyan), ...(more === 0 ? [] : [`and ${more} more`])].join('  ')}`
}
