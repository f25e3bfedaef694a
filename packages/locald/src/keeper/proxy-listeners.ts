// The sockets that the proxy accepts from: opened here, so that a daemon that is replaced refuses nobody. Which ports they are
// on is described in docs/ports.md.
import { closeSync } from 'node:fs'
import { writeFileAtomicSync } from '../lib/atomic-file.ts'
import { isBlockedPort } from '../lib/blocked-ports.ts'
import { isErrno } from '../lib/errno.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'
import type { Logger } from '../lib/logger.ts'
import { listenLoopback } from '../lib/loopback-listener.ts'
import { isRecord, readStateFile } from '../lib/state-file.ts'
import type { OnDamaged } from '../lib/state-file.ts'

export interface ProxyListenersOptions {
  /** Where the choice of a port is kept. */
  readonly file: string
  /** `LOCALD_HTTPS_PORT` and `LOCALD_HTTP_PORT` fix a port; 0 is any that is free. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly logger: Logger
  /** The choice that was kept could not be read. */
  readonly onDamaged: OnDamaged
  /** What to try on each scheme. Default: 443 and 8443, 80 and 8080. */
  readonly ports?: Readonly<Record<Scheme['key'], PortWishes>>
}

interface PortWishes {
  /** Where browsers look when an address names no port. */
  readonly usual: number
  /** The first one to try without a right to the usual one. */
  readonly first: number
}

interface Scheme {
  readonly key: 'https' | 'http'
  readonly tls: boolean
  readonly variable: string
}

const defaultPorts = { https: { usual: 443, first: 8443 }, http: { usual: 80, first: 8080 } } as const

const schemes: readonly Scheme[] = [
  { key: 'https', tls: true, variable: 'LOCALD_HTTPS_PORT' },
  { key: 'http', tls: false, variable: 'LOCALD_HTTP_PORT' },
]

/** Ports that are tried one after the other. */
const mostCandidates = 1000

const version = 1

type Kept = Partial<Record<Scheme['key'], number>>

export class ProxyListeners {
  readonly #options: ProxyListenersOptions
  /** The port that addresses are shown with comes first of its scheme. */
  #open: readonly InheritedListener[] = []
  #kept: Kept

  constructor(options: ProxyListenersOptions) {
    this.#options = options
    this.#kept = readStateFile(options.file, parseKept, options.onDamaged) ?? {}
  }

  /** Takes over what an earlier keeper has opened. */
  adopt(listeners: readonly InheritedListener[]): void {
    this.#open = listeners
  }

  /** Opens what is missing: all of it at first, later a usual port that has become possible. Never throws. */
  ensure(): readonly InheritedListener[] {
    for (const scheme of schemes) {
      try {
        this.#ensure(scheme)
      } catch (error) {
        this.#options.logger.log('error', 'Cannot open a port for the proxy', { scheme: scheme.key, error })
      }
    }
    return this.#open
  }

  /** Nobody would answer those who connect. */
  close(): void {
    for (const { fd } of this.#open) closeSync(fd)
    this.#open = []
  }

  #ensure(scheme: Scheme): void {
    const kept = this.#kept[scheme.key]
    const fixed = this.#options.env[scheme.variable]
    if (fixed !== undefined && fixed !== '') {
      if (this.#has(scheme)) return
      const port = fixedPort(scheme, fixed)
      if (port !== 0) return this.#listen(scheme, port)
      if (kept === undefined || !this.#tries(scheme, kept)) this.#listen(scheme, 0)
      return this.#keep(scheme)
    }
    const { usual, first } = this.#wishes(scheme)
    // What somebody has bookmarked goes on leading here, also once there is a better one.
    if (!this.#has(scheme) && kept !== undefined) this.#tries(scheme, kept)
    if (!this.#has(scheme, usual)) this.#tries(scheme, usual)
    if (this.#has(scheme)) return
    for (const port of candidates(first)) if (this.#tries(scheme, port)) return this.#keep(scheme)
    throw new Error(`No port from ${first} on is free`)
  }

  #wishes({ key }: Scheme): PortWishes {
    return (this.#options.ports ?? defaultPorts)[key]
  }

  #has({ tls }: Scheme, port?: number): boolean {
    return this.#open.some((listener) => listener.tls === tls && (port === undefined || listener.port === port))
  }

  /** False when the port belongs to somebody else, or is not for us. */
  #tries(scheme: Scheme, port: number): boolean {
    try {
      this.#listen(scheme, port)
      return true
    } catch (error) {
      if (isRefusal(error)) return false
      throw error
    }
  }

  #listen(scheme: Scheme, wanted: number): void {
    const { tls } = scheme
    const { port, sockets } = listenLoopback(wanted)
    const opened = sockets.map(({ fd, family }) => ({ fd, port, family, tls }))
    this.#open = port === this.#wishes(scheme).usual ? [...opened, ...this.#open] : [...this.#open, ...opened]
    this.#options.logger.log('info', 'The proxy has a port', { port, tls, families: sockets.length })
  }

  #keep({ key, tls }: Scheme): void {
    const port = this.#open.find((listener) => listener.tls === tls)?.port
    if (port === undefined || this.#kept[key] === port) return
    this.#kept = { ...this.#kept, [key]: port }
    try {
      writeFileAtomicSync(this.#options.file, `${JSON.stringify({ version, ...this.#kept })}\n`)
    } catch (error) {
      this.#options.logger.log('warn', 'Cannot keep the choice of a port', { error })
    }
  }
}

function* candidates(first: number): Generator<number> {
  for (let port = first; port < first + mostCandidates; port++) if (!isBlockedPort(port)) yield port
}

function fixedPort({ variable }: Scheme, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new Error(`${variable} is "${text}", which is no port`)
}

function isRefusal(error: unknown): boolean {
  return isErrno(error, 'EADDRINUSE', 'EACCES')
}

function parseKept(stored: unknown): Kept | null {
  // The first version had no number.
  if (!isRecord(stored) || (stored['version'] ?? version) !== version) return null
  const kept: Kept = {}
  for (const { key } of schemes) {
    const port = stored[key]
    if (port === undefined) continue
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null
    kept[key] = port
  }
  return kept
}
