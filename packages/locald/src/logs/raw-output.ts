// The output of one instance as it was written, byte for byte, for a terminal that is attached to it.
import { headerBytes } from '../lib/segment-format.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { FrameReader } from './frame-reader.ts'
import { Growth } from './growth.ts'
import type { LogFollow, LogSource } from './log-reader.ts'
import { parseRecord, type ParsedRecord } from './log-record.ts'
import { SegmentTimeline } from './segment-timeline.ts'

export type RawItem = { readonly cursor: () => string } &
  /** `at`: milliseconds since the epoch, of the first byte. */
  (
    | { readonly type: 'output'; readonly run: number; readonly at: number; readonly bytes: Buffer }
    /** What locald recorded: a start, an exit. */
    | { readonly type: 'record'; readonly run: number; readonly record: ParsedRecord }
    /** So many bytes of the log cannot be read any more. */
    | { readonly type: 'missing'; readonly bytes: number }
  )

/** How far back a screenful is looked for. */
const tailBytes = 256 * 1024

/**
 * The output of one run up to now, as much of its end as may be on a screen, and where to go on after it. `before`: only what
 * was written before that time, in milliseconds since the epoch.
 */
export async function rawTail(
  source: LogSource,
  run: number,
  { maxBytes = tailBytes, before = Infinity }: { readonly maxBytes?: number; readonly before?: number } = {},
): Promise<{ readonly bytes: Buffer; readonly cursor: string }> {
  const unwritten = await source.unwritten?.(Number.MAX_SAFE_INTEGER)
  const timeline = await SegmentTimeline.open(source.directory)
  const end = Math.max(await timeline.end(), unwritten?.end ?? 0)
  const chunks: Buffer[] = []
  let position = await timeline.frameBefore(Math.max(0, end - maxBytes))
  await using frames = new FrameReader(source.directory, position, source.unwritten)
  while (position < end) {
    const result = await frames.read()
    if (result.type === 'end') break
    if (result.type === 'missing') {
      position = result.missing.to
      continue
    }
    for (const { header, payload } of result.frames) {
      if (header.seq >= end) break
      position = header.seq + headerBytes + header.length
      if (header.kind === 'output' && header.run === run && header.at < before) chunks.push(Buffer.from(payload))
    }
  }
  return { bytes: Buffer.concat(chunks), cursor: cursorAt(source, position) }
}

/**
 * Everything after `cursor`, item by item in as large batches as can be read at once; each item has the cursor behind it.
 * Bytes are only valid until the next batch is asked for. When `follow.signal` aborts it ends with what is recorded by then.
 * Throws LocaldError `request_invalid` for a cursor that is none.
 */
export async function* rawOutput(
  source: LogSource,
  cursor: string,
  follow: LogFollow,
): AsyncGenerator<readonly RawItem[], void, undefined> {
  using growth = new Growth(follow)
  const asked = decodeCursor(cursor).get(source.stream)?.position ?? 0
  const unwritten = await source.unwritten?.(Number.MAX_SAFE_INTEGER)
  const end = Math.max(await (await SegmentTimeline.open(source.directory)).end(), unwritten?.end ?? 0)
  // Behind the end: the folder was emptied since, and everything in it is new.
  await using frames = new FrameReader(source.directory, asked > end ? 0 : asked, source.unwritten)
  for (;;) {
    const wasOver = growth.isOver
    const result = await frames.read()
    if (result.type === 'end') {
      if (wasOver) return
      await growth.wait(new Set([source.stream]), Infinity)
    } else if (result.type === 'missing') {
      const { from, to } = result.missing
      yield [{ type: 'missing', bytes: to - from, cursor: () => cursorAt(source, to) }]
    } else {
      yield result.frames.map(({ header, payload }): RawItem => {
        const behind = (): string => cursorAt(source, header.seq + headerBytes + header.length)
        return header.kind === 'output'
          ? { type: 'output', run: header.run, at: header.at, bytes: payload, cursor: behind }
          : { type: 'record', run: header.run, record: parseRecord(payload), cursor: behind }
      })
    }
  }
}

function cursorAt({ stream }: LogSource, position: number): string {
  return encodeCursor(new Map([[stream, { position, open: [] }]]))
}
