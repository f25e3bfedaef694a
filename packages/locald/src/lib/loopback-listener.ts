// One port of the loopback interface, listened on as IPv4 and as IPv6: bare descriptors, for handing to another process.
import { closeSync } from 'node:fs'
import { bindLoopback, localPortOf } from './native.ts'

export interface LoopbackListener {
  readonly port: number
  /** IPv4 first; without IPv6 where the system has none. */
  readonly sockets: readonly { readonly fd: number; readonly family: 4 | 6 }[]
}

/** Connections that may wait for somebody to accept them. */
const backlog = 511

/** What the system says where there is no IPv6. */
const absent: readonly unknown[] = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT', 'ENOPROTOOPT']
const freePortAttempts = 50

/**
 * Listens on 127.0.0.1 and ::1; on both or not at all. Nobody accepts from the descriptors yet: whoever connects waits. Throws
 * with the system's `code`: `EADDRINUSE` and `EACCES` are what to expect. Port 0 is any that is free.
 */
export function listenLoopback(port: number): LoopbackListener {
  for (let attempt = 1; ; attempt++) {
    try {
      return listenBoth(port)
    } catch (error) {
      // Free as IPv4 need not be free as IPv6.
      if (port !== 0 || attempt === freePortAttempts || codeOf(error) !== 'EADDRINUSE') throw error
    }
  }
}

export function closeListener({ sockets }: LoopbackListener): void {
  for (const { fd } of sockets) closeSync(fd)
}

function listenBoth(wanted: number): LoopbackListener {
  const four = bindLoopback(4, wanted, backlog)
  try {
    const port = wanted === 0 ? localPortOf(four) : wanted
    const six = listenSix(port)
    return { port, sockets: [{ fd: four, family: 4 }, ...(six === null ? [] : [{ fd: six, family: 6 } as const])] }
  } catch (error) {
    closeSync(four)
    throw error
  }
}

function listenSix(port: number): number | null {
  try {
    return bindLoopback(6, port, backlog)
  } catch (error) {
    if (absent.includes(codeOf(error))) return null
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
