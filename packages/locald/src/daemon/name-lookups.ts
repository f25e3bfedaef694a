// Whether host names lead to this machine: asked of the system, remembered for a while.
import { lookup } from 'node:dns/promises'
import { servesLoopback } from '../lib/listener.ts'

interface Known {
  readonly leadsHere: boolean
  /** `performance.now()`. */
  readonly at: number
}

/** What was found stays true for so long; what was not found is looked up again sooner. */
const goodMs = 60_000
const badMs = 5_000

export class NameLookups {
  readonly #known = new Map<string, Known>()
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #onChange: () => void

  /** `onChange`: a name has come to lead here, or does so no more. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Of a name that was never looked up: no. Browsers lead names below `localhost` here by themselves. */
  leadsHere(host: string): boolean {
    return isLocalhost(host) || (this.#known.get(host)?.leadsHere ?? false)
  }

  /** Looks up those of which nothing is known, or not any more. `now`: all of them, and resolves when that is done. */
  async look(hosts: Iterable<string>, { now = false } = {}): Promise<void> {
    const due = [...hosts].filter((host) => !isLocalhost(host) && !host.startsWith('*.') && (now || this.#isDue(host)))
    await Promise.all(due.map((host) => this.#underWay.get(host) ?? this.#start(host)))
  }

  #isDue(host: string): boolean {
    const known = this.#known.get(host)
    return known === undefined || performance.now() - known.at > (known.leadsHere ? goodMs : badMs)
  }

  async #start(host: string): Promise<void> {
    const looking = this.#ask(host)
    this.#underWay.set(host, looking)
    await looking
  }

  async #ask(host: string): Promise<void> {
    const leadsHere = await lookup(host, { all: true }).then(
      (found) => found.length > 0 && found.every(({ address }) => servesLoopback(address)),
      () => false,
    )
    const before = this.leadsHere(host)
    this.#known.set(host, { leadsHere, at: performance.now() })
    this.#underWay.delete(host)
    if (leadsHere !== before) this.#onChange()
  }
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
