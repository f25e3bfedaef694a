// Whether host names lead to this machine: asked of the system, remembered for a while.
import { lookup } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { servesLoopback } from '../lib/listener.ts'

interface Lookup {
  readonly ended: Promise<void>
  /** Of the clock. */
  readonly since: number
}

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
  readonly #underWay = new Map<string, Lookup>()
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

  /** Looks up those of which nothing is known, or not any more. `now`: all of them anew. Resolves when that is done. */
  async look(hosts: Iterable<string>, { now = false } = {}): Promise<void> {
    const isDue = (known: Known | undefined): boolean =>
      this.#ageOf(known) > (known?.leadsHere === true ? goodMs : badMs)
    // One that is under way may have read the hosts file before it was changed.
    const lookups = now ? askedOf(hosts).map((host) => this.#start(host)) : this.#lookUp(hosts, isDue)
    await Promise.all(lookups.map(({ ended }) => ended))
  }

  /**
   * For an answer that is given now: what is known of these is of the last seconds afterwards. Waits a moment for the system, and
   * once only while that hangs; what it says later is told by `onChange`. Resolves with whether any were looked up.
   */
  async refresh(hosts: Iterable<string>): Promise<boolean> {
    const lookups = this.#lookUp(hosts, (known) => this.#ageOf(known) > recentMs)
    if (lookups.length === 0) return false
    const leftMs = Math.max(...lookups.map(({ since }) => since)) + patienceMs - this.#now()
    const ended = Promise.all(lookups.map((each) => each.ended))
    if (leftMs > 0) await Promise.race([ended, sleep(leftMs, undefined, { ref: false })])
    return true
  }

  #lookUp(hosts: Iterable<string>, isDue: (known: Known | undefined) => boolean): readonly Lookup[] {
    const due = askedOf(hosts).filter((host) => isDue(this.#known.get(host)))
    return due.map((host) => this.#underWay.get(host) ?? this.#start(host))
  }

  #ageOf(known: Known | undefined): number {
    return known === undefined ? Infinity : this.#now() - known.at
  }

  #start(host: string): Lookup {
    const started: Lookup = {
      since: this.#now(),
      ended: this.#findOut(host).then((leadsHere) => {
        // A later one knows better.
        if (this.#underWay.get(host) === started) this.#note(host, leadsHere)
      }),
    }
    this.#underWay.set(host, started)
    return started
  }

  async #findOut(host: string): Promise<boolean> {
    try {
      const addresses = await this.#askSystem(host)
      return addresses.length > 0 && addresses.every(servesLoopback)
    } catch {
      return false // nobody knows it
    }
  }

  #note(host: string, leadsHere: boolean): void {
    const before = this.leadsHere(host)
    this.#known.set(host, { leadsHere, at: this.#now() })
    this.#underWay.delete(host)
    if (leadsHere !== before) this.#onChange()
  }
}

/** Those that the system has to be asked about. */
function askedOf(hosts: Iterable<string>): readonly string[] {
  return [...hosts].filter((host) => !isLocalhost(host) && !host.startsWith('*.'))
}

async function askSystem(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
