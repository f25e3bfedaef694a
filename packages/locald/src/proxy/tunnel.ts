// Two streams that speak with each other from now on, such as both ends of a WebSocket.
import type { Duplex } from 'node:stream'

/**
 * Each end takes what the other one says, no faster than it can. Calls `done` once, when both are closed. `silentMs`: how long
 * an end may say nothing once the other one has ended its side, in milliseconds; null: as long as it likes.
 */
export function tunnel(one: Duplex, other: Duplex, silentMs: number | null, done: () => void): void {
  let open = 2
  let timer: NodeJS.Timeout | null = null
  const onClose = (counterpart: Duplex) => () => {
    if (timer !== null) clearTimeout(timer)
    counterpart.destroy()
    open -= 1
    if (open === 0) done()
  }
  // It may hang, and never hear of it.
  const onEnd = (counterpart: Duplex) => () => {
    if (silentMs === null) return
    timer ??= setTimeout(() => counterpart.destroy(), silentMs)
    counterpart.on('data', () => timer?.refresh())
  }
  one.once('end', onEnd(other))
  other.once('end', onEnd(one))
  one.on('error', ignore).once('close', onClose(other)).pipe(other)
  other.on('error', ignore).once('close', onClose(one)).pipe(one)
}

/** `close` follows every error. */
function ignore(): void {}
