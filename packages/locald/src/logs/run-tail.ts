// What is recorded of a run already, for whoever goes on recording it.
import type { FrameStream } from '../lib/segment-format.ts'
import { FrameReader } from './frame-reader.ts'
import { parseRecord } from './log-record.ts'
import { SegmentTimeline } from './segment-timeline.ts'

export interface RunTail {
  /** Something is recorded of it, its end is. */
  readonly hasStarted: boolean
  readonly hasExited: boolean
  /** Time of the last chunk of each stream; absent: none. */
  readonly last: Readonly<Partial<Record<Exclude<FrameStream, 'none'>, number>>>
}

/** So much is read of the end of a log at first; more only where not all streams of the run are in it. */
const firstBytes = 256 * 1024
/** Streams of one run are no further apart than that, or the one that is behind has nothing that would come again. */
const windowMs = 2000

/** `directory`: of the instance's log. */
export async function runTail(directory: string, run: number): Promise<RunTail> {
  const timeline = await SegmentTimeline.open(directory)
  const end = await timeline.end()
  for (let back = firstBytes; ; back *= 8) {
    const { place } = await timeline.placeBefore(Math.max(0, end - back))
    const { tail, isWhole, spanMs } = await readFrom(directory, place, run)
    if (place === 0 || isWhole || spanMs > windowMs) return tail
  }
}

async function readFrom(
  directory: string,
  place: number,
  run: number,
): Promise<{ readonly tail: RunTail; readonly isWhole: boolean; readonly spanMs: number }> {
  const last: Partial<Record<Exclude<FrameStream, 'none'>, number>> = {}
  let hasStarted = false
  let hasExited = false
  let isWhole = false
  let firstAt: number | null = null
  let lastAt = 0
  await using reader = new FrameReader(directory, place)
  for (;;) {
    const result = await reader.read()
    if (result.type === 'end') {
      return { tail: { hasStarted, hasExited, last }, isWhole, spanMs: lastAt - (firstAt ?? lastAt) }
    }
    if (result.type === 'missing') continue
    for (const { header, payload } of result.frames) {
      firstAt ??= header.at
      lastAt = header.at
      if (header.run !== run) continue
      hasStarted = true
      if (header.kind === 'output' && header.stream !== 'none') last[header.stream] = header.at
      if (header.kind !== 'record') continue
      const { type } = parseRecord(payload)
      isWhole ||= type === 'run.started'
      hasExited ||= type === 'run.exited'
    }
  }
}
