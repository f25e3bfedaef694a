// The part of a hosts file that is locald's: text in, text out. Everything outside of it stays as it is, byte for byte.
import { isWritableName } from './writable-name.ts'

const begin = '# locald begin: kept by "locald admin sync-hosts"; what is written in here is lost'
const end = '# locald end'
/** Stands at the end of the first line where the file did not end with a line feed, which then goes with the block. */
const joined = ' (the line above had no end)'
const isBegin = (line: string): boolean => /^# locald begin\b/.test(line)
const isEnd = (line: string): boolean => /^# locald end\s*$/.test(line)

/**
 * The text with one block for these names, or with none when there are none. A marker without its other half is left
 * alone: nobody knows what of the lines near it is ours. Of several blocks the first one is kept.
 */
export function withNames(text: string, names: readonly string[]): string {
  const lines = text.split(/(?<=\n)/)
  const blocks = blocksIn(lines)
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const [first] = blocks
  const kept = lines.filter((_, at) => !isInside(blocks, at))
  const hadNoEnd = first === undefined ? !/(^|\n)$/.test(text) : lines[first.from]?.includes(joined) === true
  const at = first?.from ?? kept.length
  const above = kept.slice(0, at).join('')
  const before = hadNoEnd && above.endsWith('\n') ? above.slice(0, -1) : above
  const after = kept.slice(at).join('')
  if (names.length === 0) return before + (hadNoEnd && after !== '' ? '\n' : '') + after
  return before + (hadNoEnd ? '\n' : '') + blockFor(names, newline, hadNoEnd) + after
}

/** Names of the block, sorted as they stand; none without a block. */
export function namesInBlock(text: string): readonly string[] {
  const lines = text.split(/(?<=\n)/)
  const inside = blocksIn(lines).flatMap(({ from, to }) => lines.slice(from + 1, to))
  return [...new Set(inside.flatMap((line) => entryOf(line)?.names ?? []))]
}

/** What the rest of the file says of each name: all its addresses, in the order of the file. Names in lower case. */
export function foreignEntries(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split(/(?<=\n)/)
  const blocks = blocksIn(lines)
  const found = new Map<string, readonly string[]>()
  lines.forEach((line, at) => {
    if (isInside(blocks, at)) return
    const entry = entryOf(line)
    for (const name of entry?.names ?? []) found.set(name, [...(found.get(name) ?? []), entry?.address ?? ''])
  })
  return found
}

/** How many markers stand without their other half. */
export function strayMarkers(text: string): number {
  const lines = text.split(/(?<=\n)/)
  const blocks = blocksIn(lines)
  return lines.filter((line, at) => (isBegin(line) || isEnd(line)) && !isInside(blocks, at)).length
}

interface Block {
  /** Index of its first line. */
  readonly from: number
  /** Index of its last line. */
  readonly to: number
}

/**
 * Markers pair like brackets, and the outermost pairs are the blocks: a beginning that was left open is none, and what
 * stays without its other half finds none in what is left once the blocks are gone.
 */
function blocksIn(lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = []
  const open: number[] = []
  lines.forEach((line, at) => {
    if (isBegin(line)) open.push(at)
    if (!isEnd(line)) return
    const from = open.pop()
    if (from === undefined) return
    while ((blocks.at(-1)?.from ?? -1) > from) blocks.pop()
    blocks.push({ from, to: at })
  })
  return blocks
}

const isInside = (blocks: readonly Block[], at: number): boolean =>
  blocks.some(({ from, to }) => at >= from && at <= to)

function blockFor(names: readonly string[], newline: string, hadNoEnd: boolean): string {
  const wrong = names.find((name) => !isWritableName(name))
  if (wrong !== undefined) throw new Error(`"${wrong}" is no host name`)
  // One name a line: some systems read only the first few names of a line.
  const entries = [...names].sort().flatMap((name) => [`127.0.0.1\t${name}`, `::1\t${name}`])
  return [hadNoEnd ? begin + joined : begin, ...entries, end].map((line) => line + newline).join('')
}

function entryOf(line: string): { readonly address: string; readonly names: readonly string[] } | null {
  const [address, ...names] = line.replace(/#.*/s, '').trim().split(/\s+/)
  if (address === undefined || address === '') return null
  return { address, names: names.map((name) => name.toLowerCase()) }
}
