// Keeps a stream going over the replacement of the daemon: when it breaks, it is opened again where it stopped.
import { setTimeout as sleep } from 'node:timers/promises'
import { LocaldError } from '@locald/protocol'
import { ConnectionLost, NobodyListens } from './request-errors.ts'

/** Waits between attempts that brought nothing; the keeper holds the socket, so that mostly the first one connects and waits. */
const defaultDelaysMs: readonly number[] = [0, 50, 100, 200, 400, 800, 1600, 3200]

export interface ReconnectOptions {
  readonly signal?: AbortSignal
  /** One wait before each attempt that follows a fruitless one; after the last, it gives up. */
  readonly delaysMs?: readonly number[]
  /** Opens again also after an orderly end: a stream without one of its own. Default false. */
  readonly endless?: boolean
}

/**
 * Yields what `open` yields, calling it again when it loses its connection. `open` has to know where it stopped. Ends when `signal` aborts; throws `daemon_unreachable` when nobody answers any more, and every other error.
 */
export async function* reconnecting<T>(
  open: () => AsyncIterable<T>,
  { signal, delaysMs = defaultDelaysMs, endless = false }: ReconnectOptions = {},
): AsyncGenerator<T> {
  let fruitless = 0
  for (;;) {
    let cause: unknown
    try {
      for await (const item of open()) {
        fruitless = 0
        yield item
      }
      if (!endless) return
    } catch (error) {
      if (signal?.aborted === true) return
      if (!(error instanceof ConnectionLost || error instanceof NobodyListens)) throw error
      cause = error
    }
    if (signal?.aborted === true) return
    const delay = delaysMs[fruitless]
    if (delay === undefined) throw new LocaldError('daemon_unreachable', 'The daemon went away', { cause })
    fruitless += 1
    try {
      await sleep(delay, undefined, signal === undefined ? {} : { signal })
    } catch {
      return // Aborted, which is how the caller ends it.
    }
  }
}
