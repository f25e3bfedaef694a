// Follows where one run listens, and says whether that is where it should.
import { servesLoopback } from '../lib/listener.ts'
import { describeHolder, holderOfListener } from '../lib/port-holder.ts'
import { reachedBy } from './monitor.ts'
import { choosePort, settleMs } from './port-choice.ts'
import type { Listener } from '../lib/listener.ts'
import type { Clock } from './clock.ts'
import type { RunListeners, WatchedRun } from './listener-watch.ts'
import type { Reached } from './monitor.ts'
import type { PortChoice } from './port-choice.ts'

/** `exact`: the given port and no other, without a word about others. */
export type Discovery = 'auto' | 'scan' | 'off' | 'exact'

export type PortState =
  | (Reached & {
      readonly type: 'listening'
      readonly message: string
      /** Where to connect to for the chosen port, likeliest first. */
      readonly addresses: readonly string[]
    })
  | {
      readonly type: 'missing'
      readonly message: string
      /** Waiting alone will not mend it. */
      readonly isWrong: boolean
      /** It is against `port_discovery`, and no passing state. */
      readonly isCertain?: boolean
      /** When it can be known for sure, if it cannot now. */
      readonly retryInMs?: number
      readonly isUndecided?: boolean
    }

/** Where a run is reached, when something else decides about its health; without ports when it listens nowhere yet. */
export interface FoundPlace extends Reached {
  /** It listens where it must not; null: all is well. */
  readonly problem: string | null
  /** When more can be known for sure; null: nothing is open. */
  readonly againInMs: number | null
}

/** A service that keeps opening and closing ports is believed after this time all the same. */
const restlessMs = 2000

const nowhere: FoundPlace = { ports: [], warnings: [], problem: null, againInMs: null }

export interface PortTrackerOptions {
  readonly given: number | null
  readonly discovery: Discovery
  readonly clock: Clock
  /** It has settled already: where it is found first is where it listens. */
  readonly wasHealthy: boolean
  /** How old what is known of its listeners may be now. Undefined: nearly nothing. */
  readonly maxAgeMs: () => number | undefined
}

export class PortTracker {
  readonly #run: WatchedRun
  readonly #given: number | null
  readonly #discovery: Discovery
  readonly #clock: Clock
  #isBelieved: boolean
  readonly #maxAgeMs: () => number | undefined
  #current: number | null = null
  #signature = ''
  #changedAt = 0
  #elsewhereSince: number | null = null
  readonly #holders = new Map<number, string>()

  constructor(run: WatchedRun, options: PortTrackerOptions) {
    this.#run = run
    this.#given = options.given
    this.#discovery = options.discovery
    this.#clock = options.clock
    this.#isBelieved = options.wasHealthy
    this.#maxAgeMs = options.maxAgeMs
  }

  /** Nothing better can come: as of the last look it listens where it was told to, if it was told at all. */
  get isSettled(): boolean {
    const best = this.#given ?? this.#current
    return this.#run.listeners.own.some(({ port }) => port === best)
  }

  /** Where it listens now, as a choice. */
  async #choose(maxAgeMs: number | undefined): Promise<PortChoice> {
    const { own } = await this.#run.check(maxAgeMs)
    const now = this.#clock.now()
    this.#note(own, now)
    const choice = choosePort(own, { given: this.#given, current: this.#current, unchangedMs: this.#unchangedMs(now) })
    if (choice.type === 'none') this.#current = null
    if (choice.type === 'given' || (choice.type === 'elsewhere' && choice.inMs === 0))
      this.#current = choice.ports[0] ?? null
    return choice
  }

  /** A port elsewhere counts at once, unless it is a tool's or forbidden; its warning comes when it stays. */
  async place(): Promise<FoundPlace> {
    const choice = await this.#choose(this.#maxAgeMs())
    if (choice.type === 'none') return nowhere
    const state = await this.#stateOf(choice)
    if (state.type === 'listening') return { ...nowhere, ...reachedBy(state) }
    if (state.isCertain === true) return { ...nowhere, problem: state.message }
    if (choice.type === 'given' || state.retryInMs === undefined) return nowhere
    const isLikely = this.#discovery !== 'off' && state.retryInMs <= settleMs
    const likely = isLikely ? reachedBy(this.#listening(choice.ports, [])) : {}
    return { ...nowhere, ...likely, againInMs: state.retryInMs }
  }

  /** `maxAgeMs`: how old what is known of its listeners may be. Default: as the options say. */
  async state(maxAgeMs: number | undefined = this.#maxAgeMs()): Promise<PortState> {
    return await this.#stateOf(await this.#choose(maxAgeMs))
  }

  async #stateOf(choice: PortChoice): Promise<PortState> {
    const { listeners } = this.#run
    if (listeners.problem !== null) return { type: 'missing', message: listeners.problem, isWrong: false }
    if (choice.type === 'given') return this.#listening(choice.ports, await this.#rivalWarnings(listeners))
    return choice.type === 'elsewhere' ? await this.#elsewhere(choice, listeners) : await this.#none(listeners)
  }

  async #elsewhere(choice: PortChoice & { readonly type: 'elsewhere' }, listeners: RunListeners): Promise<PortState> {
    const found = choice.ports[0] ?? 0
    const given = this.#given
    if (given === null) {
      return choice.inMs === 0
        ? this.#listening(choice.ports, [])
        : {
            type: 'missing',
            message: `Listens on port ${found} since a moment`,
            isWrong: false,
            isUndecided: true,
            retryInMs: choice.inMs,
          }
    }
    if (this.#discovery === 'exact') return await this.#none(listeners)
    if (choice.inMs > 0) {
      const message = `Listens on port ${found}; port ${given}, which it was given, may still come`
      return { type: 'missing', message, isWrong: false, isUndecided: true, retryInMs: choice.inMs }
    }
    const rival = listeners.others.find(isInTheWay)
    const held = rival === undefined ? '' : `, which is held by ${await this.#holder(rival)}`
    const what = `Listens on port ${found}, not on port ${given} that it was given${held}`
    const fix = `set \`port = ${found}\`, or make its command listen on $PORT (such as \`--port $PORT\`)`
    if (this.#discovery === 'off')
      return {
        type: 'missing',
        message: `${what}, and port_discovery is "off": ${fix}`,
        isWrong: true,
        isCertain: true,
      }
    return this.#listening(choice.ports, this.#discovery === 'scan' ? [] : [`${what}: ${fix}`])
  }

  async #none(listeners: RunListeners): Promise<PortState> {
    const rival = listeners.others.find(isInTheWay)
    if (rival !== undefined) {
      const message = `Port ${rival.port} is held by ${await this.#holder(rival)}`
      return { type: 'missing', message, isWrong: true }
    }
    const where = this.#given === null ? 'any port' : `port ${this.#given}`
    return { type: 'missing', message: `Does not listen on ${where}`, isWrong: false }
  }

  #listening(ports: readonly number[], warnings: readonly string[]): PortState & { readonly type: 'listening' } {
    const [chosen] = ports
    const addresses = addressesFor(this.#run.listeners.own.filter(({ port }) => port === chosen))
    const isOnIpv6Alone = addresses.length === 1 && addresses[0] === ipv6Loopback
    const reached = { ports, ...(isOnIpv6Alone ? { host: ipv6Loopback } : {}), warnings }
    return { type: 'listening', message: `Listens on port ${chosen}`, addresses, ...reached }
  }

  /** Both listen on one port, each on an address of its own: `localhost` can lead to either. */
  async #rivalWarnings(listeners: RunListeners): Promise<readonly string[]> {
    const rival = listeners.others.find((one) => one.port === this.#given && isInTheWay(one))
    if (rival === undefined) return []
    const holder = await this.#holder(rival)
    return [`Port ${rival.port} is also held by ${holder} on ${rival.address}, which "localhost" may reach instead`]
  }

  async #holder(listener: Listener): Promise<string> {
    const known = this.#holders.get(listener.inode)
    if (known !== undefined) return known
    const text = describeHolder(await holderOfListener(listener))
    this.#holders.set(listener.inode, text)
    return text
  }

  #note(own: readonly Listener[], now: number): void {
    const signature = own.map(({ port }) => port).join()
    if (signature !== this.#signature) {
      this.#changedAt = this.#isBelieved ? Number.NEGATIVE_INFINITY : now
      this.#isBelieved = false
    }
    this.#signature = signature
    const isElsewhere = own.length > 0 && !own.some(({ port }) => port === this.#given)
    this.#elsewhereSince = isElsewhere ? (this.#elsewhereSince ?? now) : null
  }

  #unchangedMs(now: number): number {
    const elsewhereMs = this.#elsewhereSince === null ? 0 : now - this.#elsewhereSince
    return elsewhereMs >= restlessMs ? elsewhereMs : now - this.#changedAt
  }
}

/** On an address that a service on this machine's loopback would need. */
function isInTheWay(listener: Listener): boolean {
  return servesLoopback(listener.address)
}

const ipv6Loopback = '::1'

/** IPv4 first, as most servers have it; an IPv6 wildcard mostly serves both. */
function addressesFor(listeners: readonly Listener[]): readonly string[] {
  const addresses = new Set<string>()
  for (const { address } of listeners) if (address === '0.0.0.0' || address === '127.0.0.1') addresses.add('127.0.0.1')
  for (const { address } of listeners) if (address === '::') addresses.add('127.0.0.1').add('::1')
  for (const { address } of listeners) if (address !== '0.0.0.0' && address !== '::') addresses.add(address)
  return [...addresses]
}
