// What the daemon has recorded in a stream, for the next one to see what is missing.
import { FrameReader } from './frame-reader.ts'
import { parseRecord } from './log-record.ts'
import type { ReadUnwritten } from './log-reader.ts'
import { SegmentTimeline } from './segment-timeline.ts'

/** A record that tells of an event. */
export interface RecordedEvent {
  readonly type: string
  readonly run: number
  /** The event's number; null in what was recorded before records had any. */
  readonly event: number | null
}

/** All records of a stream from about this time on, milliseconds since the epoch; none when it does not exist. */
export async function recordedEvents(
  { directory, unwritten }: { readonly directory: string; readonly unwritten?: ReadUnwritten },
  since: number,
): Promise<readonly RecordedEvent[]> {
  const timeline = await SegmentTimeline.open(directory)
  const found: RecordedEvent[] = []
  await using reader = new FrameReader(directory, await timeline.placeOfTime(since), unwritten)
  for (;;) {
    const result = await reader.read()
    if (result.type === 'end') return found
    if (result.type === 'missing') continue
    for (const { header, payload } of result.frames) {
      if (header.kind !== 'record') continue
      const { type, event } = parseRecord(payload)
      found.push({ type: String(type), run: header.run, event: typeof event === 'number' ? event : null })
    }
  }
}
