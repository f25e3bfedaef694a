// Where in a stream to read for a query, so that as little as possible is read that is not wanted.
import { LocaldError } from '@locald/protocol'
import type { LogQuery, LogSource, Unwritten } from './log-reader.ts'
import { firstNeeded, streamBeginning, type ReadPosition } from './read-position.ts'
import { SegmentTimeline } from './segment-timeline.ts'
import { SourceReader, type LineFilter, type SourceRange } from './source-reader.ts'

/** What to read of one stream. */
export interface SourcePlan {
  readonly source: LogSource
  readonly filter: LineFilter
  readonly range: SourceRange
}

/** Lines that may be cut at their beginning, one for each stream of output, when reading starts within lines. */
const cutLines = 3

export interface PlanOptions {
  readonly following: boolean
  readonly outputOnly: boolean
}

/** Plans the reading of each source; `cursor` is that of the query, by stream. */
export async function planSources(
  sources: readonly LogSource[],
  query: LogQuery,
  cursor: ReadonlyMap<string, ReadPosition> | null,
  options: PlanOptions,
): Promise<readonly SourcePlan[]> {
  const { tail } = query
  if (tail !== undefined && (!Number.isSafeInteger(tail) || tail < 0)) {
    throw new LocaldError('request_invalid', `Cannot show the last "${String(tail)}" lines: this is no whole number`)
  }
  const drafts = await Promise.all(sources.map((source) => draft(source, query, cursor?.get(source.stream), options)))
  if (tail === undefined || cursor !== null) return drafts.map(({ plan }) => plan)
  const tails = await Promise.all(drafts.map((one) => tailOf(one, tail)))
  const kept = newest(tails, tail)
  return tails.map(({ plan, lines, end }, index) => {
    const first = lines[lines.length - (kept[index] ?? 0)]
    // A line that is not complete may end at up to `cutLines` - 1 behind the end.
    const skipThrough = first === undefined ? end + cutLines - 1 : first.end - 1
    return { ...plan, range: { ...plan.range, skipThrough } }
  })
}

interface Draft {
  readonly plan: SourcePlan
  readonly timeline: SegmentTimeline
  /** As far as there is anything for this query at present. */
  readonly stop: number
  /** Whether `stop` is the end of everything. */
  readonly stopIsEnd: boolean
}

async function draft(
  source: LogSource,
  query: LogQuery,
  cursor: ReadPosition | undefined,
  options: PlanOptions,
): Promise<Draft> {
  // Asked first: what is written in between is then in both, not in neither.
  const unwritten = (await source.unwritten?.(Number.MAX_SAFE_INTEGER)) ?? nothingUnwritten
  const timeline = await SegmentTimeline.open(source.directory)
  const filter = filterOf(query, Math.max(await timeline.lastRun(), unwritten.lastRun), options)
  const written = await timeline.end()
  const end = Math.max(written, unwritten.end)
  // What the disk refuses is not in the timeline.
  const orEnd = (place: number): number => (place >= written ? end : place)
  const stop = Math.min(
    filter.until === undefined ? end : orEnd(await timeline.placeAfterTime(filter.until)),
    filter.run === null ? end : orEnd(await timeline.placeAfterRun(filter.run)),
  )
  // Behind the end: the folder was emptied since, and everything in it is new.
  const from = cursor === undefined || cursor.position > end ? await beginningFor(filter, timeline) : cursor
  const startAt = from === cursor ? await timeline.frameBefore(firstNeeded(from)) : from.position
  const bounds = options.following ? { partsAtEnd: false } : { stop, partsAtEnd: stop === end }
  return { plan: { source, filter, range: { from, startAt, ...bounds } }, timeline, stop, stopIsEnd: stop === end }
}

function filterOf(query: LogQuery, lastRun: number, { outputOnly }: PlanOptions): LineFilter {
  const { since, until, grep, run } = query
  return {
    outputOnly,
    run: run === undefined ? null : run < 0 ? runFromNewest(run, lastRun) : run,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(grep === undefined ? {} : { grep }),
  }
}

const nothingUnwritten: Pick<Unwritten, 'end' | 'lastRun'> = { end: 0, lastRun: 0 }

/** Before the first run, the newest is the one to come. */
function runFromNewest(run: number, lastRun: number): number {
  return Math.max(lastRun, 1) + 1 + run
}

async function beginningFor(filter: LineFilter, timeline: SegmentTimeline): Promise<ReadPosition> {
  const place = Math.max(
    filter.since === undefined ? 0 : await timeline.placeOfTime(filter.since),
    filter.run === null ? 0 : await timeline.placeOfRun(filter.run),
  )
  return place === 0 ? streamBeginning : { position: (await timeline.placeBefore(place)).place, open: [] }
}

interface Tail {
  readonly plan: SourcePlan
  /** The last lines of this source, at least as many as are asked for if there are so many. */
  readonly lines: readonly { readonly order: number; readonly end: number }[]
  readonly end: number
}

/** Reads from ever further back until there are enough lines. */
async function tailOf({ plan, timeline, stop, stopIsEnd }: Draft, count: number): Promise<Tail> {
  for (let back = Math.max(64 * 1024, count * 128); ; back *= 8) {
    const { place, withinLine } = await timeline.placeBefore(Math.max(0, stop - back))
    const isWhole = place <= plan.range.startAt
    const { startAt, from } = isWhole ? plan.range : { startAt: place, from: { position: place, open: [] } }
    const range: SourceRange = { ...plan.range, startAt, from }
    const lines = await lastOf({ ...plan, range: { ...range, stop, partsAtEnd: stopIsEnd } }, count + cutLines)
    const enough = lines.length >= (withinLine ? count + cutLines : count)
    if (isWhole || enough) return { plan: { ...plan, range }, lines, end: stop }
  }
}

async function lastOf(plan: SourcePlan, count: number): Promise<{ order: number; end: number }[]> {
  const lines: { order: number; end: number }[] = []
  const reader = new SourceReader(plan.source, plan.filter, plan.range)
  try {
    while (await reader.fill(() => false)) {
      for (let line = reader.head; line !== undefined; line = reader.head) {
        lines.push({ order: line.origin.order, end: line.end })
        reader.shift()
      }
      if (lines.length > 2 * count + 1000) lines.splice(0, lines.length - count)
    }
  } finally {
    await reader[Symbol.asyncDispose]()
  }
  return lines
}

/** How many lines of each source are among the newest `count`, as merging orders them. */
function newest(tails: readonly Tail[], count: number): readonly number[] {
  const kept = tails.map(() => 0)
  for (let left = count; left > 0; left--) {
    let best = -1
    let bestOrder = -Infinity
    for (const [index, { lines }] of tails.entries()) {
      const line = lines[lines.length - 1 - (kept[index] ?? 0)]
      if (line !== undefined && line.order >= bestOrder) [best, bestOrder] = [index, line.order]
    }
    if (best === -1) break
    kept[best] = (kept[best] ?? 0) + 1
  }
  return kept
}
