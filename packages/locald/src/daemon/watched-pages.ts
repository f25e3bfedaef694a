// Says what the proxy's open pages show, whenever that may have changed: each service by itself, however many pages of it are
// open, and not more often than somebody can read.
import type { ServiceDescription } from '../proxy/pages/service-description.ts'

export interface WatchedPagesOptions {
  /** By the proxy's key of a service; null: there is no such service. */
  readonly describe: (key: string) => Promise<ServiceDescription | null>
  readonly tell: (key: string, description: ServiceDescription | null) => void
  readonly onError: (key: string, error: unknown) => void
}

/** Between two descriptions of a service, in milliseconds. */
const leastMs = 250
/** Who holds a port may change without a word. */
const refreshMs = 15_000

interface Watched {
  /** Set while it is going to be described. */
  timer: NodeJS.Timeout | null
  isDescribing: boolean
  /** Something has changed while it was described. */
  isStale: boolean
  describedAt: number
  told: string | null
}

export class WatchedPages implements Disposable {
  readonly #options: WatchedPagesOptions
  readonly #watched = new Map<string, Watched>()
  #refresh: NodeJS.Timeout | null = null

  constructor(options: WatchedPagesOptions) {
    this.#options = options
  }

  /** Pages of these services are open, and no others. */
  watch(keys: readonly string[]): void {
    for (const [key, { timer }] of this.#watched) {
      if (keys.includes(key)) continue
      if (timer !== null) clearTimeout(timer)
      this.#watched.delete(key)
    }
    for (const key of keys) {
      if (this.#watched.has(key)) continue
      this.#watched.set(key, { timer: null, isDescribing: false, isStale: false, describedAt: -Infinity, told: null })
      this.#plan(key)
    }
    if (keys.length > 0) this.#refresh ??= setInterval(() => this.#planAll(), refreshMs).unref()
    else this.#rest()
  }

  /** Something has happened in this project, or one of its services has written something. */
  changed(project: string): void {
    if (this.#watched.size === 0) return
    for (const key of this.#watched.keys()) if (key.startsWith(`${project}/`)) this.#plan(key)
  }

  [Symbol.dispose](): void {
    this.watch([])
  }

  #planAll(): void {
    for (const key of this.#watched.keys()) this.#plan(key)
  }

  #plan(key: string): void {
    const watched = this.#watched.get(key)
    if (watched === undefined || watched.timer !== null) return
    if (watched.isDescribing) {
      watched.isStale = true
      return
    }
    const delayMs = Math.max(0, watched.describedAt + leastMs - performance.now())
    watched.timer = setTimeout(() => void this.#describe(key, watched), delayMs).unref()
  }

  async #describe(key: string, watched: Watched): Promise<void> {
    watched.timer = null
    watched.isDescribing = true
    watched.isStale = false
    watched.describedAt = performance.now()
    try {
      const description = await this.#options.describe(key)
      const text = JSON.stringify(description)
      if (text !== watched.told && this.#watched.get(key) === watched) {
        watched.told = text
        this.#options.tell(key, description)
      }
    } catch (error) {
      this.#options.onError(key, error)
    }
    watched.isDescribing = false
    if (watched.isStale && this.#watched.get(key) === watched) this.#plan(key)
  }

  #rest(): void {
    if (this.#refresh !== null) clearInterval(this.#refresh)
    this.#refresh = null
  }
}
