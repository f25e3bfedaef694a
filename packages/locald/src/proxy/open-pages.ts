// Keeps pages that stand in for services up to date, and tells them when the service is there. What they show comes from the
// daemon by itself whenever it changes: once for each service, however many pages of it are open.
import { serviceSituationNotice } from './local-answer.ts'
import { idleEvent, pageEvent, readyEvent } from './pages/notice-events.ts'
import type { ServiceDescription } from './pages/service-description.ts'
import type { ServiceTarget } from './route-table.ts'
import type { ServiceGate } from './service-gate.ts'

const idleEveryMs = 15_000

export interface OpenPagesOptions {
  /** By the key of a service; null: there is no such service any more. */
  readonly gateOf: (service: string) => ServiceGate | null
  /** Pages of these services are open now: what they show is wanted. */
  readonly tell: (services: readonly string[]) => void
}

interface Watched {
  target: ServiceTarget
  /** Null: the daemon knows no such service. Undefined: it has not said anything yet. */
  description: ServiceDescription | null | undefined
  /** What was written last. */
  text: string | null
  readonly writers: Set<(text: string) => void>
}

export class OpenPages {
  readonly #options: OpenPagesOptions
  readonly #watched = new Map<string, Watched>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: OpenPagesOptions) {
    this.#options = options
  }

  /** Writes events until what it returns is called. */
  open({ target }: ServiceGate, write: (text: string) => void): () => void {
    const { key } = target
    const known = this.#watched.get(key)
    const watched = known ?? { target, description: undefined, text: null, writers: new Set() }
    watched.writers.add(write)
    if (known === undefined) {
      this.#watched.set(key, watched)
      this.#timer ??= setInterval(() => this.#writeIdle(), idleEveryMs).unref()
      this.#look(watched)
      this.#tell()
    } else if (known.text !== null) write(known.text)
    return () => {
      watched.writers.delete(write)
      if (watched.writers.size > 0 || this.#watched.get(key) !== watched) return
      this.#watched.delete(key)
      if (this.#watched.size === 0) this.#rest()
      this.#tell()
    }
  }

  /** What pages of this service show from now on. */
  show(service: string, description: ServiceDescription | null): void {
    const watched = this.#watched.get(service)
    if (watched === undefined) return
    watched.description = description
    this.#look(watched)
  }

  /** Services may be there that were not, or the other way round. */
  update(): void {
    for (const watched of this.#watched.values()) this.#look(watched)
  }

  close(): void {
    this.#rest()
    this.#watched.clear()
  }

  #look(watched: Watched): void {
    const text = this.#textOf(watched)
    if (text === null || text === watched.text) return
    watched.text = text
    for (const write of watched.writers) write(text)
  }

  #textOf(watched: Watched): string | null {
    const gate = this.#options.gateOf(watched.target.key)
    if (gate !== null) watched.target = gate.target
    if (gate !== null && gate.choose() !== null) return readyEvent
    const { target, description } = watched
    if (description === undefined) return null
    return pageEvent(serviceSituationNotice({ target, description, cause: 'state', wasSent: false }))
  }

  #writeIdle(): void {
    for (const { writers } of this.#watched.values()) for (const write of writers) write(idleEvent)
  }

  #tell(): void {
    this.#options.tell([...this.#watched.keys()])
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
