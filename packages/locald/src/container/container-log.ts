// Records what a container writes, from where the last daemon stopped, and no faster than it can be recorded.
import type { Engine } from './engine.ts'
import type { OutputTarget } from './container-order.ts'
import { createLogParser, joinMessages } from './log-messages.ts'
import type { LogMessage, OutputStream } from './log-messages.ts'

/** What is recorded of a run already. */
export interface RecordedOutput {
  readonly hasStarted: boolean
  readonly hasExited: boolean
  /** Time of the last chunk of each stream; absent: none. */
  readonly last: Readonly<Partial<Record<OutputStream, number>>>
}

/** Where output is recorded; the keeper, in the end. */
export interface OutputRecorder {
  /** Resolves when there is room for more. */
  output(log: OutputTarget, chunks: readonly LogMessage[]): Promise<void>
  /** `at`: milliseconds since the epoch. */
  record(log: OutputTarget, at: number, record: Readonly<Record<string, unknown>>): Promise<void>
  recorded(log: OutputTarget): Promise<RecordedOutput>
}

export interface LogFollowing {
  readonly engine: Engine
  readonly container: string
  readonly tty: boolean
  readonly log: OutputTarget
  readonly output: OutputRecorder['output']
  readonly recorded: RecordedOutput
  readonly signal: AbortSignal
}

/** Times of different streams may be this much out of order in the engine's log. */
const disorderMs = 1000

/** Resolves at the end of the output: when the container has ended. Rejects when the engine breaks off. */
export async function recordOutput(following: LogFollowing): Promise<void> {
  const { engine, container, tty, log, output, recorded, signal } = following
  const times = Object.values(recorded.last)
  const since = times.length === 0 ? 0 : Math.max(0, Math.max(...times) - disorderMs)
  const stream = await engine.getContainer(container).logs({
    follow: true,
    stdout: true,
    stderr: true,
    timestamps: true,
    since: (since / 1000).toFixed(9),
    abortSignal: signal,
  })
  const parser = createLogParser(tty)
  const sieve = new Sieve(recorded.last)
  for await (const part of stream) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    const fresh = parser.push(bytes).filter((message) => sieve.isNew(message))
    if (fresh.length > 0) await output(log, joinMessages(fresh))
  }
}

/** As many times are remembered of each stream; an engine repeats no more than what it reads at once. */
const rememberedTimes = 4096

interface SeenStream {
  last: number
  /** What comes was there before, until something later comes. */
  isResuming: boolean
  readonly times: Set<number>
}

/**
 * Tells what is new: after a break everything later than what is recorded; and of one stream everything but what an engine
 * repeats when it begins a new file (Docker 20.10 does). A clock that was set back is no repetition.
 */
export class Sieve {
  readonly #streams = new Map<OutputStream, SeenStream>()

  constructor(recorded: RecordedOutput['last']) {
    for (const stream of ['stdout', 'stderr', 'pty'] as const) {
      const last = recorded[stream]
      if (last !== undefined) this.#streams.set(stream, { last, isResuming: true, times: new Set() })
    }
  }

  isNew({ stream, at }: Pick<LogMessage, 'stream' | 'at'>): boolean {
    const seen = this.#streams.get(stream) ?? { last: -Infinity, isResuming: false, times: new Set<number>() }
    this.#streams.set(stream, seen)
    if (at < seen.last && seen.times.has(at)) seen.isResuming = true
    if (seen.isResuming && at <= seen.last) return false
    seen.isResuming = false
    seen.last = at
    seen.times.add(at)
    const [oldest] = seen.times
    if (seen.times.size > rememberedTimes && oldest !== undefined) seen.times.delete(oldest)
    return true
  }
}
