// One engine, for as long as containers of this installation are wanted there: its events, also after it was restarted.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../lib/logger.ts'
import type { EngineAddress } from './container-order.ts'
import { labels } from './create-options.ts'
import { openEngine } from './engine.ts'
import type { Engine } from './engine.ts'

/** What the engine tells of a container: https://docs.docker.com/reference/cli/docker/system/events/#containers */
export interface EngineEvent {
  readonly container: string
  /** `die`, `destroy`, `health_status: unhealthy`, … */
  readonly action: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly attributes: Readonly<Record<string, string>>
}

export interface EngineListener {
  readonly onEvent: (event: EngineEvent) => void
  /** Events may have been missed: look for yourself. */
  readonly onReconnected: () => void
}

const watchedEvents = ['die', 'destroy', 'health_status']
const reconnectMs = { first: 50, longest: 2000 }

export class EngineConnection implements Disposable {
  readonly address: EngineAddress
  readonly engine: Engine
  readonly #installation: string
  readonly #logger: Logger
  readonly #listeners = new Set<EngineListener>()
  #following: AbortController | null = null
  #connected: Promise<void> | null = null
  #gateway: Promise<string | null> | null = null

  private constructor(address: EngineAddress, engine: Engine, installation: string, logger: Logger) {
    this.address = address
    this.engine = engine
    this.#installation = installation
    this.#logger = logger
  }

  static async open(address: EngineAddress, installation: string, logger: Logger): Promise<EngineConnection> {
    return new EngineConnection(address, await openEngine(address), installation, logger)
  }

  /** Address of this machine in the network that containers are in; null when the engine has no such network. */
  async bridgeGateway(): Promise<string | null> {
    this.#gateway ??= this.#findGateway().catch(() => null) // without it containers do everything but reach this machine
    return await this.#gateway
  }

  async #findGateway(): Promise<string | null> {
    const { IPAM: addresses } = (await this.engine.getNetwork('bridge').inspect()) as {
      IPAM?: { Config?: readonly { Gateway?: string; Subnet?: string }[] | null }
    }
    const pool = addresses?.Config?.find(({ Subnet: subnet }) => subnet !== undefined && !subnet.includes(':'))
    if (pool?.Gateway !== undefined && pool.Gateway !== '') return pool.Gateway
    // Where nobody chose another, the engine takes the first address of the network.
    const match = /^(\d+\.\d+\.\d+)\.(\d+)\/\d+$/.exec(pool?.Subnet ?? '')
    return match === null ? null : `${match[1]}.${Number(match[2]) + 1}`
  }

  /** Hears of every event from when the promise resolves on. Rejects when the engine cannot be reached now. */
  async listen(listener: EngineListener): Promise<void> {
    this.#listeners.add(listener)
    if (this.#following === null) {
      const following = new AbortController()
      this.#following = following
      this.#connected = this.#follow(following.signal)
    }
    try {
      await this.#connected
    } catch (error) {
      this.unlisten(listener)
      throw error
    }
  }

  /** The same, but for an engine that may be away just now: it is tried until it answers. */
  listenPatiently(listener: EngineListener): void {
    this.#listeners.add(listener)
    if (this.#following !== null) return
    const following = new AbortController()
    this.#following = following
    this.#connected = this.#follow(following.signal).catch(() => this.#reconnect(following.signal))
  }

  unlisten(listener: EngineListener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    this.#following?.abort()
    this.#following = null
    this.#connected = null
  }

  [Symbol.dispose](): void {
    this.#listeners.clear()
    this.#following?.abort()
    this.#following = null
  }

  /** Resolves when events come; they are read in the background from then on. */
  async #follow(signal: AbortSignal): Promise<void> {
    const stream = await this.engine.getEvents({
      abortSignal: signal,
      filters: {
        type: ['container'],
        event: watchedEvents,
        label: [`${labels.installation}=${this.#installation}`],
      },
    })
    void this.#read(stream, signal)
  }

  async #read(stream: NodeJS.ReadableStream, signal: AbortSignal): Promise<void> {
    let rest = ''
    try {
      for await (const part of stream) {
        const lines = (rest + part.toString()).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) this.#tell(line)
      }
    } catch (error) {
      if (!signal.aborted) this.#logger.log('warn', 'The events of a Docker engine broke off', { error })
    }
    if (!signal.aborted) await this.#reconnect(signal)
  }

  async #reconnect(signal: AbortSignal): Promise<void> {
    for (let delay = reconnectMs.first; !signal.aborted; delay = Math.min(reconnectMs.longest, delay * 2)) {
      await sleep(delay, undefined, { signal, ref: false }).catch(() => undefined) // aborted: the loop ends
      if (signal.aborted) return
      try {
        await this.#follow(signal)
        for (const listener of this.#listeners) listener.onReconnected()
        return
      } catch {
        // not back yet
      }
    }
  }

  #tell(line: string): void {
    const event = parseEvent(line)
    if (event !== null) for (const listener of this.#listeners) listener.onEvent(event)
  }
}

/** Null for what is no event of a container. */
function parseEvent(line: string): EngineEvent | null {
  if (line.trim() === '') return null
  const {
    Action: action,
    Actor: actor,
    timeNano,
  } = JSON.parse(line) as {
    Action?: string
    Actor?: { ID?: string; Attributes?: Record<string, string> }
    timeNano?: number
  }
  if (action === undefined || actor?.ID === undefined) return null
  return { container: actor.ID, action, at: (timeNano ?? Date.now() * 1e6) / 1e6, attributes: actor.Attributes ?? {} }
}
