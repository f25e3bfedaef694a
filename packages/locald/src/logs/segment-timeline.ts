// Finds places in a stream (by time, by run, so many bytes back) through the indexes, without reading the stream.
import { close, fstat, open } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isErrno } from '../lib/errno.ts'
import { indexName, segmentNames, type IndexEntry, type SegmentName } from '../lib/segment-format.ts'
import { SegmentScanner, type SegmentScan } from '../lib/segment-scanner.ts'

const openFile = promisify(open)
const closeFile = promisify(close)
const statFile = promisify(fstat)

/** How far to go back for the beginning of a line; a longer one is shown without it. */
const lineSearchBytes = 1024 * 1024

/** The segments of a folder in order; none when there is no such folder. */
export async function listSegments(directory: string): Promise<readonly SegmentName[]> {
  try {
    return segmentNames(await readdir(directory))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** The frames of one stream that are known by an index, as of when it was opened. */
export class SegmentTimeline {
  readonly #directory: string
  readonly #segments: readonly SegmentName[]
  readonly #scans = new Map<number, SegmentScan>()

  private constructor(directory: string, segments: readonly SegmentName[]) {
    this.#directory = directory
    this.#segments = segments
  }

  static async open(directory: string): Promise<SegmentTimeline> {
    return new SegmentTimeline(directory, await listSegments(directory))
  }

  /** Position after the last whole frame, or after the damage behind it. */
  async end(): Promise<number> {
    const last = await this.#last()
    return last?.state === 'damaged' ? last.fileEnd : (last?.end ?? 0)
  }

  /** The newest run; 0 without any. */
  async lastRun(): Promise<number> {
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const scan = await this.#scan(index)
      if (scan.entries.length > 0) return scan.lastRun
    }
    return 0
  }

  /** A place to start at in order to find everything from this time on. Clocks may jump: it may be too early, not too late. */
  async placeOfTime(at: number): Promise<number> {
    const later = this.#segments.findIndex(({ firstAt }, index) => index > 0 && firstAt >= at)
    const index = later === -1 ? this.#segments.length - 1 : later - 1
    if (index < 0) return 0
    const { entries } = await this.#scan(index)
    const laterEntry = entries.findIndex((entry, place) => place > 0 && entry.at >= at)
    return this.#startOf(index, laterEntry === -1 ? entries.at(-1) : entries[laterEntry - 1])
  }

  /** A place before which everything up to this millisecond lies. */
  async placeAfterTime(at: number): Promise<number> {
    return this.#placeAfter((entry) => Math.floor(entry.at) <= at)
  }

  /** A place to start at in order to find all of a run. */
  async placeOfRun(run: number): Promise<number> {
    return this.#lastEntry((entry) => entry.run < run)
  }

  /** A place before which all of a run lies. */
  async placeAfterRun(run: number): Promise<number> {
    return this.#placeAfter((entry) => entry.run <= run)
  }

  /** A frame at or before `position`. */
  async frameBefore(position: number): Promise<number> {
    return this.#lastEntry((entry) => entry.seq <= position)
  }

  /** A place to start at, before `position`, where no line is open, or at most `lineSearchBytes` further back. */
  async placeBefore(position: number): Promise<{ place: number; withinLine: boolean }> {
    const near = (entry: IndexEntry): boolean => entry.seq <= position
    const whole = await this.#lastEntry((entry) => near(entry) && entry.open === 0)
    if (whole >= position - lineSearchBytes || whole === 0) return { place: whole, withinLine: false }
    const place = await this.#lastEntry((entry) => entry.seq <= position - lineSearchBytes)
    return { place: Math.max(place, whole), withinLine: place > whole }
  }

  /** Where the last entry of this kind lies; 0, before everything, when there is none. */
  async #lastEntry(isWanted: (entry: IndexEntry) => boolean): Promise<number> {
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const found = (await this.#scan(index)).entries.findLast(isWanted)
      if (found !== undefined) return this.#startOf(index, found)
    }
    return 0
  }

  async #placeAfter(isBefore: (entry: IndexEntry) => boolean): Promise<number> {
    let place = await this.end()
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const { entries } = await this.#scan(index)
      const last = entries.findLastIndex(isBefore)
      if (last === -1) place = entries[0]?.seq ?? place
      else return entries[last + 1]?.seq ?? place
    }
    return place
  }

  /** The first frame there is stands for the beginning of the stream, also when what came before was removed. */
  #startOf(index: number, entry: IndexEntry | undefined): number {
    const first = this.#segments[index]?.firstSeq ?? 0
    const place = entry?.seq ?? first
    return index === 0 && place === first ? 0 : place
  }

  async #last(): Promise<SegmentScan | undefined> {
    return this.#segments.length === 0 ? undefined : this.#scan(this.#segments.length - 1)
  }

  async #scan(index: number): Promise<SegmentScan> {
    const known = this.#scans.get(index)
    if (known !== undefined) return known
    const segment = this.#segments[index]
    const scan = segment === undefined ? emptyScan(0) : await scanSegment(this.#directory, segment)
    this.#scans.set(index, scan)
    return scan
  }
}

async function scanSegment(directory: string, { name, firstSeq }: SegmentName): Promise<SegmentScan> {
  const fd = await openFile(join(directory, name), 'r').catch(() => null)
  // Removed since the folder was listed.
  if (fd === null) return emptyScan(firstSeq)
  try {
    const { size } = await statFile(fd)
    const scanner = new SegmentScanner({ fd, firstSeq, size, index: join(directory, indexName(name)) })
    while (!scanner.step()) await nextTurn()
    return scanner.result()
  } finally {
    await closeFile(fd)
  }
}

function emptyScan(end: number): SegmentScan {
  return { entries: [], indexed: 0, end, fileEnd: end, state: 'whole', lastRun: 0, open: 0 }
}
