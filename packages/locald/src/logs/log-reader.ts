// What can be asked of the recorded output: the contract of this folder.

/** The recorded output of one instance. */
export interface LogSource {
  /** Shown as `service` in its lines: `web`, `web.2`. */
  readonly label: string
  /** Its folder of segments, absolute. */
  readonly directory: string
  /** Its name in the keeper's `grew` messages. */
  readonly stream: string
  /** Reads what comes after that. Default: nothing does. */
  readonly unwritten?: ReadUnwritten
}

/** What was recorded and is not in the files, because the disk refuses it. Null: it is all there. */
export type ReadUnwritten = (from: number) => Promise<Unwritten | null>

export interface Unwritten {
  /** Whole frames side by side, from that position on, or from the account of what was dropped there; not always all. */
  readonly frames: Buffer
  /** Position after everything that was recorded. */
  readonly end: number
  /** The newest run. */
  readonly lastRun: number
}

export interface LogQuery {
  /** Only the last lines, counted over all sources together. */
  readonly tail?: number
  /** Milliseconds since the epoch. */
  readonly since?: number
  readonly until?: number
  readonly grep?: RegExp
  /** A run's number; negative counts from the newest (-1). */
  readonly run?: number
  /** From a line's `cursor`: everything after it. */
  readonly cursor?: string
}

/** Follows: after what is recorded, what is being recorded, until `signal` aborts. */
export interface LogFollow {
  readonly signal: AbortSignal
  /** Calls `listener` with the stream whenever output was added; returns how to stop that. */
  readonly onGrew: (listener: (stream: string) => void) => () => void
}

/**
 * Lines of all sources in the order of time: each a `LogLine` as JSON, with a line feed, many at a time. Reads as it is
 * iterated: a slow reader holds nothing up.
 */
export type ReadLogs = (sources: readonly LogSource[], query: LogQuery, follow?: LogFollow) => AsyncIterable<string>
