// The way to one service: chooses an instance for a request, or holds it until there is one.
import { InstanceLoad } from './instance-load.ts'
import type { ServiceState, ServiceTarget, Site } from './route-table.ts'
import type { SiteServer } from './site-server.ts'
import { UpstreamPool } from './upstream-pool.ts'

/** A request that waits for an instance. */
export interface HeldRequest {
  /** It may go. It is not held any more. */
  onAdmitted(load: InstanceLoad): void
  /** It waits on, or gives up, by the state that the service is in now. */
  onServiceState(state: ServiceState): void
  /** It was admitted, and no connection has come about yet. */
  onStillDialling(now: number): void
}

export interface GateOptions {
  readonly openPool: (port: number) => UpstreamPool
  readonly openSite: (site: Site) => SiteServer
  /** A request has come after a time of rest: who ends what is not used has to know at once. */
  readonly onBusy: () => void
}

/** Milliseconds without a request that are a rest. */
const restMs = 1000

export class ServiceGate {
  #target: ServiceTarget
  readonly #options: GateOptions
  #loads: InstanceLoad[] = []
  #site: SiteServer | null = null
  /** Those who want to know of changes of the site's files, with what ends that. */
  readonly #siteWatchers = new Map<() => void, () => void>()
  #next = 0
  /** In the order in which they came. */
  readonly #held = new Set<HeldRequest>()
  /** Those that were admitted and wait for a connection. */
  readonly #dialling = new Set<HeldRequest>()
  #open = 0
  #lastAt = 0
  isWanted = false

  constructor(target: ServiceTarget, options: GateOptions) {
    this.#target = target
    this.#options = options
    this.#loads = this.#loadsOf(target)
  }

  get target(): ServiceTarget {
    return this.#target
  }

  /** Calls back after each change of the site's files, and when it was built anew, until what it returns is called. */
  onSiteChange(tell: () => void): () => void {
    this.#siteWatchers.set(tell, this.#site?.onChange(tell) ?? nothing)
    return () => {
      this.#siteWatchers.get(tell)?.()
      this.#siteWatchers.delete(tell)
    }
  }

  /** Requests, WebSockets and event streams under way. */
  get open(): number {
    return this.#open
  }

  /** When one last came or ended. Epoch, milliseconds. */
  get lastAt(): number {
    return this.#lastAt
  }

  /** Nothing is under way, and nothing is left to be closed. */
  get isAtRest(): boolean {
    return this.#open === 0 && this.#loads.every((load) => load.pool.isEmpty)
  }

  enter(): void {
    const now = Date.now()
    const hasRested = this.#open === 0 && now - this.#lastAt >= restMs
    this.#open += 1
    this.#lastAt = now
    if (hasRested) this.#options.onBusy()
  }

  leave(): void {
    this.#open -= 1
    this.#lastAt = Date.now()
  }

  get heldCount(): number {
    return this.#held.size
  }

  /** Takes over what the daemon says now, and lets go whom that lets go. */
  update(target: ServiceTarget): void {
    this.#target = target
    if (target.state !== 'idle') this.isWanted = false
    this.#loads = this.#loadsOf(target)
    this.admitHeld()
  }

  /** The service is in no table any more. */
  close(): void {
    this.#target = { ...this.#target, state: 'down', upstreams: [], site: null }
    this.#loads = this.#loadsOf(this.#target)
    this.admitHeld()
  }

  /** The instance with the fewest requests; among equals each in turn. Null: none takes any. */
  choose(): InstanceLoad | null {
    const [only] = this.#loads
    if (only !== undefined && this.#loads.length === 1) return only.isDraining ? null : only
    let best: InstanceLoad | null = null
    for (let step = 0; step < this.#loads.length; step += 1) {
      const load = this.#loads[(this.#next + step) % this.#loads.length]
      if (load === undefined || load.isDraining) continue
      if (best === null || load.open < best.open) best = load
    }
    if (best !== null) this.#next = (this.#loads.indexOf(best) + 1) % this.#loads.length
    return best
  }

  hold(request: HeldRequest): void {
    this.#held.add(request)
  }

  /** It waits for a connection, until `letGo`: it is told now and then that it still does. */
  dial(request: HeldRequest): void {
    this.#dialling.add(request)
  }

  /** It waits no longer. */
  letGo(request: HeldRequest): void {
    this.#held.delete(request)
    this.#dialling.delete(request)
  }

  admitHeld(): void {
    for (const request of this.#held) {
      const load = this.choose()
      if (load === null) {
        request.onServiceState(this.#target.state)
        continue
      }
      this.#held.delete(request)
      request.onAdmitted(load)
    }
  }

  drain(instance: number, timeoutMs: number, done: (open: number) => void): void {
    const load = this.#loads.find((one) => one.instance === instance)
    if (load === undefined) done(0)
    else load.drain(timeoutMs, done)
  }

  sweep(now: number): void {
    for (const load of this.#loads) load.pool.sweep(now)
    for (const request of this.#dialling) request.onStillDialling(now)
  }

  /** Pages that were there before it show what is gone. */
  #openSite(site: Site): void {
    const opened = this.#options.openSite(site)
    this.#site = opened
    for (const tell of this.#siteWatchers.keys()) {
      this.#siteWatchers.set(tell, opened.onChange(tell))
      tell()
    }
  }

  /** Those that go on are kept with their connections; being named again ends a drain. */
  #loadsOf(target: ServiceTarget): InstanceLoad[] {
    const before = this.#loads
    const hadSite = this.#site
    if (target.site !== null) {
      const [known] = before
      if (known !== undefined && hadSite?.isOf(target.site)) return [known]
      this.#openSite(target.site)
    } else this.#site = null
    hadSite?.close()
    const loads =
      this.#site !== null
        ? [new InstanceLoad(1, 0, new UpstreamPool(this.#site.dial))]
        : target.upstreams.map(({ instance, port }) => {
            const known = before.find((load) => load.instance === instance && load.port === port)
            if (known === undefined) return new InstanceLoad(instance, port, this.#options.openPool(port))
            known.isDraining = false
            return known
          })
    for (const load of before) if (!loads.includes(load)) load.pool.close()
    return loads
  }
}

const nothing = (): void => undefined
