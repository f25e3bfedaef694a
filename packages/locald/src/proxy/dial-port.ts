// Connects to a port of this machine, whichever of the two addresses its service listens on.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { fewUnsentBytes, readBytes } from './limits.ts'
import { isMuchUnsent } from './outgoing-blocks.ts'
import type { UpstreamReader } from './upstream-connection.ts'
import type { Dial } from './upstream-pool.ts'

/** Shared by all: what is read is dealt with before anything else can be. */
const memory = Buffer.allocUnsafeSlow(readBytes)
const someMemory = memory.subarray(0, fewUnsentBytes)
const addresses = ['127.0.0.1', '::1'] as const

/** Tries IPv4, then IPv6; from then on first what answered last. */
export function dialPort(port: number): Dial {
  let preferred = 0
  return (done) => {
    let socket: Socket | null = null
    const attempt = (tries: number): void => {
      const index = (preferred + tries) % addresses.length
      const reader: UpstreamReader = { take: () => true }
      const one = connect({
        port,
        host: addresses[index] ?? addresses[0],
        noDelay: true,
        onread: {
          buffer: () => (isMuchUnsent() ? someMemory : memory),
          callback: (length) => reader.take(memory.subarray(0, length)),
        },
      })
      socket = one
      const onFailure = (): void => {
        one.destroy()
        if (tries + 1 < addresses.length) attempt(tries + 1)
        else done(null)
      }
      one.once('error', onFailure)
      one.once('connect', () => {
        // A port that nobody listens on can be connected to itself.
        if (one.localPort === port) return onFailure()
        preferred = index
        one.off('error', onFailure)
        done({ stream: one, reader })
      })
    }
    attempt(0)
    return () => {
      socket?.removeAllListeners()
      socket?.on('error', () => undefined) // it may still come
      socket?.destroy()
    }
  }
}
