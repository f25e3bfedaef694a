// The opaque text that says where reading several streams stands.
import { LocaldError } from '@locald/protocol'
import type { FrameStream } from '../lib/segment-format.ts'
import type { ReadPosition } from './read-position.ts'

const version = 1
const streams: readonly FrameStream[] = ['none', 'stdout', 'stderr', 'pty']

/** Positions by the name of the stream. */
export function encodeCursor(positions: ReadonlyMap<string, ReadPosition>): string {
  const entries = [...positions].map(([name, { position, open }]) => [
    name,
    [position, ...open.map((line) => [streams.indexOf(line.stream), line.run, line.start, line.continued ? 1 : 0])],
  ])
  return Buffer.from(JSON.stringify({ v: version, s: Object.fromEntries(entries) })).toString('base64url')
}

/** Throws LocaldError `request_invalid` when this is no cursor of ours. */
export function decodeCursor(cursor: string): ReadonlyMap<string, ReadPosition> {
  const value = parse(cursor)
  if (!isObject(value) || value['v'] !== version || !isObject(value['s'])) throw invalid()
  return new Map(Object.entries(value['s']).map(([name, entry]) => [name, toPosition(entry)]))
}

function toPosition(entry: unknown): ReadPosition {
  if (!Array.isArray(entry)) throw invalid()
  const [position, ...lines]: unknown[] = entry
  const open = lines.map((line) => {
    if (!Array.isArray(line)) throw invalid()
    const [index, run, start, continued]: unknown[] = line
    const stream = streams[toPlace(index)]
    if (stream === undefined) throw invalid()
    return { stream, run: toPlace(run), start: toPlace(start), continued: continued === 1 }
  })
  return { position: toPlace(position), open }
}

function toPlace(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw invalid()
  return value
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    throw invalid()
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function invalid(): LocaldError {
  return new LocaldError('request_invalid', 'Cannot go on reading logs: this is not a cursor that locald gave out', {
    hint: 'Leave the cursor out to read from the beginning',
  })
}
