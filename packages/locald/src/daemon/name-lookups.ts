// Whether host names lead to this machine: asked of the system, remembered for a while.
import { lookup } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { servesLoopback } from '../lib/listener.ts'

interface Known {
  readonly leadsHere: boolean
  /** Of the clock. */
  readonly at: number
}

/** What was found stays true for so long; what was not found is looked up again sooner. */
const goodMs = 60_000
const badMs = 5_000
/** For somebody who asks now: who changes a hosts file tells nobody, and looks at the addresses next. */
const recentMs = 2_000
/** A resolver that cannot reach its servers takes many seconds to say so. */
const patienceMs = 300

export interface LookupOptions {
  /** The addresses of a name by the system's resolver; rejects when it knows none. */
  readonly ask?: (host: string) => Promise<readonly string[]>
  /** Milliseconds since whenever. */
  readonly now?: () => number
}

export class NameLookups {
  readonly #known = new Map<string, Known>()
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #onChange: () => void
  readonly #askSystem: (host: string) => Promise<readonly string[]>
  readonly #now: () => number

  /** `onChange`: a name has come to lead here, or does so no more. */
  constructor(onChange: () => void, { ask = askSystem, now = () => performance.now() }: LookupOptions = {}) {
    this.#onChange = onChange
    this.#askSystem = ask
    this.#now = now
  }

  /** Of a name that was never looked up: no. Browsers lead names below `localhost` here by themselves. */
  leadsHere(host: string): boolean {
    return isLocalhost(host) || (this.#known.get(host)?.leadsHere ?? false)
  }

  /** Looks up those of which nothing is known, or not any more. `now`: all of them, and resolves when that is done. */
  async look(hosts: Iterable<string>, { now = false } = {}): Promise<void> {
    await this.#lookUp(hosts, (known) => now || this.#ageOf(known) > (known?.leadsHere === true ? goodMs : badMs))
  }

  /**
   * For an answer that is given now: what is known of these is of the last seconds afterwards. Waits a moment for the system, and
   * no longer: what that says later is told by `onChange`. Resolves with whether any were looked up.
   */
  async refresh(hosts: Iterable<string>): Promise<boolean> {
    const looking = this.#lookUp(hosts, (known) => this.#ageOf(known) > recentMs)
    if (looking === null) return false
    await Promise.race([looking, sleep(patienceMs, undefined, { ref: false })])
    return true
  }

  /** Null when there is nothing to look up. */
  #lookUp(hosts: Iterable<string>, isDue: (known: Known | undefined) => boolean): Promise<unknown> | null {
    const due = [...hosts].filter(
      (host) => !isLocalhost(host) && !host.startsWith('*.') && isDue(this.#known.get(host)),
    )
    if (due.length === 0) return null
    return Promise.all(due.map((host) => this.#underWay.get(host) ?? this.#start(host)))
  }

  #ageOf(known: Known | undefined): number {
    return known === undefined ? Infinity : this.#now() - known.at
  }

  async #start(host: string): Promise<void> {
    const looking = this.#ask(host)
    this.#underWay.set(host, looking)
    await looking
  }

  async #ask(host: string): Promise<void> {
    const leadsHere = await this.#askSystem(host).then(
      (addresses) => addresses.length > 0 && addresses.every(servesLoopback),
      () => false,
    )
    const before = this.leadsHere(host)
    this.#known.set(host, { leadsHere, at: this.#now() })
    this.#underWay.delete(host)
    if (leadsHere !== before) this.#onChange()
  }
}

async function askSystem(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
