// Has runs started and ended: processes by the keeper, containers by their engine.
import type { ContainerOrder } from '../container/container-order.ts'
import type { RunInfo } from '../keeper/protocol.ts'
import { referredSiblings } from '../plan/referred-siblings.ts'
import type { InBackground } from './in-background.ts'
import type { InstanceState, Run } from './instance.ts'
import type { ApplyInput } from './machines.ts'
import type { Slot } from './place.ts'
import type { Records } from './records.ts'
import type { PreparedCheck, SupervisorDependencies } from './supervisor-dependencies.ts'

/** Of what no plan says anything about. */
const stopTimeoutMs = 10_000

/** What a run turns out to be goes to the machine of its instance as an input. */
export class Runs {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'keeper' | 'containers' | 'prepare' | 'drain' | 'logger'>
  readonly #inBackground: InBackground
  readonly #apply: ApplyInput
  /** Of runs that are being spawned, by run id. */
  readonly #checks = new Map<string, PreparedCheck>()
  /** Runs that answer their last requests, by run id. */
  readonly #draining = new Set<string>()

  constructor(records: Records, deps: SupervisorDependencies, inBackground: InBackground, apply: ApplyInput) {
    this.#records = records
    this.#deps = deps
    this.#inBackground = inBackground
    this.#apply = apply
  }

  /** The check that was prepared with a run that is just being spawned. */
  checkOf(run: string): PreparedCheck | undefined {
    return this.#checks.get(run)
  }

  /** Prepares and spawns a run that was decided on. Why it could not be spawned is an input, too. */
  launch(slot: Slot, run: Run): void {
    this.#spawn(slot, run).catch((error: unknown) => {
      this.#deps.logger.log('error', 'Cannot spawn', { ...slot, error })
      this.#apply(slot, {
        type: 'refused',
        run: run.id,
        reason: error instanceof Error ? error.message : String(error),
      })
    })
  }

  async #spawn(slot: Slot, run: Run): Promise<void> {
    const refuse = (reason: string): void => this.#apply(slot, { type: 'refused', run: run.id, reason })
    const place = this.#records.place(slot)
    if (place === null) return refuse('removed from the configuration')
    const siblings = this.#records.planSeenBy(slot.project, place.service.name)
    const prepared = await this.#deps.prepare(place, run, siblings)
    // It may have been stopped while its files were read.
    if (this.#records.isClosed || !this.#isStarting(slot, run)) return refuse('stopped')
    if (!prepared.ok) return refuse(prepared.reason)
    if (prepared.port !== place.instance.port) {
      this.#records.record(null, [{ kind: 'port', ...slot, port: prepared.port }])
    }
    this.#apply(slot, { type: 'prepared', run: run.id, told: referredSiblings(siblings, place.service) })
    this.#checks.set(run.id, prepared.check)
    if (prepared.order === null) {
      this.#checks.delete(run.id)
      return this.#apply(slot, { type: 'served', run: run.id })
    }
    if ('image' in prepared.order) return await this.#spawnContainer(slot, prepared.order)
    const result = await this.#deps.keeper.request('spawn', prepared.order)
    if (result.ok) this.#apply(slot, { type: 'spawned', run: run.id, identity: result.identity, at: result.startedAt })
    this.#checks.delete(run.id)
    if (result.ok) return
    // A daemon before this one spawned it already; the fact tells the rest.
    if (result.reason !== 'duplicate') refuse(result.message)
  }

  async #spawnContainer(slot: Slot, order: ContainerOrder): Promise<void> {
    const { run } = order
    const result = await this.#deps.containers.spawn(order)
    if (this.#records.isClosed) return
    if (result.ok) {
      const { container, startedAt } = result
      this.#apply(slot, { type: 'spawned', run, identity: null, container, at: startedAt })
    } else this.#apply(slot, { type: 'refused', run, reason: result.message })
    this.#checks.delete(run)
  }

  #isStarting(slot: Slot, run: Run): boolean {
    const state = this.#records.instance(slot)?.state
    return state?.id === 'starting' && state.run.id === run.id
  }

  /** Ends a run. One that is to serve again answers the requests that it has first, unless it is to be stopped meanwhile. */
  endInTurn(slot: Slot, run: Run): void {
    const state = this.#records.instance(slot)?.state
    if (!isComingBack(state, run)) return this.end(slot, run)
    if (this.#draining.has(run.id)) return
    const place = state.exit === null ? this.#records.place(slot) : null
    const drained = place === null ? null : this.#deps.drain(place)
    if (drained === null) return this.end(slot, run)
    this.#draining.add(run.id)
    const end = (): void => {
      if (this.#draining.delete(run.id) && !this.#records.isClosed) this.end(slot, run)
    }
    this.#inBackground(
      drained.catch((error: unknown) => this.#deps.logger.log('warn', 'Cannot drain', { ...slot, error })).then(end),
    )
  }

  /** Its state is another one: nobody waits any longer for what is not to come back. */
  attend(slot: Slot): void {
    const state = this.#records.instance(slot)?.state
    if (state?.id !== 'stopping' || state.afterwards !== 'stop' || !this.#draining.delete(state.run.id)) return
    this.#records.afterwards(() => this.end(slot, state.run))
  }

  /** Ends a run with everything that belongs to it. Without `atOnce` it has the service's own time until SIGKILL. */
  end(slot: Slot, run: Run, atOnce?: 0): void {
    const config = this.#records.place(slot)?.service.config
    // Null is for ever.
    const timeoutMs = atOnce ?? (config === undefined ? stopTimeoutMs : config.stopTimeoutMs)
    const container = { run: run.id, signal: config?.container?.stopSignal ?? null, timeoutMs }
    if (this.#deps.containers.end(container)) return
    if (run.container !== undefined) return this.#apply(slot, { type: 'lost', run: run.id, isGone: true })
    const request = this.#deps.keeper.request('end', {
      run: run.id,
      signal: config?.stopSignal ?? 'SIGTERM',
      scope: config?.stopScope ?? 'group',
      timeoutMs,
    })
    this.#inBackground(
      request.then(({ known }) => {
        const state = this.#records.instance(slot)?.state
        // One without an identity is still being prepared: `#spawn` finds out by itself.
        if (known || state?.id !== 'stopping' || state.run.id !== run.id || state.run.identity === null) return
        this.#apply(slot, { type: 'lost', run: run.id, isGone: true })
      }),
    )
  }

  /** A run that no record knows: nobody could ever stop it, so it is ended now. */
  endStray(run: RunInfo): void {
    this.#deps.logger.log('warn', 'Ending a run that is not in the journal', { run: run.run, tag: run.tag })
    this.#inBackground(
      this.#deps.keeper.request('end', { run: run.run, signal: 'SIGTERM', scope: 'group', timeoutMs: stopTimeoutMs }),
    )
  }
}

/** Whether it is ended in order to be there again. */
function isComingBack(state: InstanceState | undefined, run: Run): state is InstanceState & { id: 'stopping' } {
  return state?.id === 'stopping' && state.run.id === run.id && state.afterwards !== 'stop'
}
