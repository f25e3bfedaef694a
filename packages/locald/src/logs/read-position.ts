// Where reading a stream stands, exactly: also within lines that are not complete yet.
import type { FrameStream } from '../lib/segment-format.ts'

/** A line of which not everything was given out. */
export interface OpenLine {
  readonly stream: FrameStream
  readonly run: number
  /** Position in the stream of its first byte that was not given out. */
  readonly start: number
  /** Whether a part of it was given out already. */
  readonly continued: boolean
}

/**
 * Everything before `position` was given out, but for the lines in `open`; of a stream among those also what lies after
 * `position`, up to its `start`.
 */
export interface ReadPosition {
  readonly position: number
  readonly open: readonly OpenLine[]
}

/** Before the first frame. */
export const streamBeginning: ReadPosition = { position: 0, open: [] }

/** Where reading has to begin in order to go on from `position`. */
export function firstNeeded({ position, open }: ReadPosition): number {
  return open.reduce((first, { start }) => Math.min(first, start), position)
}
