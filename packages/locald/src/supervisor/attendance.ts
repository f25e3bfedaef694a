// Brings what attends to an instance in line with its state: its timer, the monitor of its health, its watchdog, the watch of
// its files.
import { runsToItsEnd } from '../plan/service-kind.ts'
import type { ServiceConfig } from '../config/config.ts'
import { startDeferredMonitor } from '../health/deferred-monitor.ts'
import type { DeferredCheck } from '../health/deferred-monitor.ts'
import type { CheckRecord, HealthMonitor, HealthReport } from '../health/monitor.ts'
import { Attendants } from './attendants.ts'
import type { InBackground } from './in-background.ts'
import { runOf } from './instance.ts'
import type { Instance, Run } from './instance.ts'
import type { ApplyInput } from './machines.ts'
import { slotId } from './place.ts'
import type { Place, Slot } from './place.ts'
import type { Records } from './records.ts'
import { dueAt, isFileWatched, isWatched } from './service-machine.ts'
import type { PreparedCheck, SupervisorDependencies } from './supervisor-dependencies.ts'

/** The check that was prepared with a run; undefined when it has to be prepared anew. */
type CheckOf = (run: string) => PreparedCheck | undefined

/** What attends is not stored; a new daemon has it built again by `attend`. */
export class Attendance implements Disposable {
  readonly #records: Records
  readonly #deps: SupervisorDependencies
  readonly #inBackground: InBackground
  readonly #apply: ApplyInput
  readonly #checkOf: CheckOf
  readonly #attendants: Attendants
  /** The run of each instance whose watchdog this daemon has armed. */
  readonly #armed = new Map<string, string>()

  constructor(
    records: Records,
    deps: SupervisorDependencies,
    { inBackground, apply, checkOf }: { inBackground: InBackground; apply: ApplyInput; checkOf: CheckOf },
  ) {
    this.#records = records
    this.#deps = deps
    this.#inBackground = inBackground
    this.#apply = apply
    this.#checkOf = checkOf
    this.#attendants = new Attendants(deps.clock)
  }

  /** Brings timer and monitor of an instance in line with its state. */
  attend(slot: Slot): void {
    const instance = this.#records.instance(slot)
    const place = this.#records.place(slot)
    if (instance === undefined || place === null) return this.#attendants.forget(slotId(slot))
    const { state } = instance
    this.#attendants.wake(slotId(slot), dueAt(state), () => this.#apply(slot, { type: 'due' }))
    const run = !runsToItsEnd(place.service.config) && isWatched(state) ? runOf(instance) : null
    const { config } = place.service
    this.#attendToFiles(slot, place, instance)
    if (run !== null && config.watchdogMs !== undefined && state.id === 'running') this.#armWatchdog(slot, run)
    if (run === null) return this.#attendants.watch(slotId(slot), null)
    // Another definition of its health holds at once, without another run.
    const key = `${run.id} ${healthKey(config)}`
    this.#attendants.watch(slotId(slot), { key, start: () => this.#monitor(slot, place, run) })
  }

  /** With the check that came with the run, else with one that is prepared anew: for that its env files may be missing just now. */
  #monitor(slot: Slot, place: Place, run: Run): HealthMonitor {
    const report = (news: HealthReport): void => this.#report(slot, run.id, news)
    const begin = (prepared: PreparedCheck): HealthMonitor => this.#begin(slot, place, run, prepared, report)
    const { healthCheck, container } = place.service.config
    const prepared = this.#checkOf(run.id)
    if (prepared !== undefined) return begin(prepared)
    if (healthCheck === undefined) return begin({ env: {} })
    const { type, intervalMs, retries, startPeriodMs } = healthCheck
    const known: DeferredCheck = {
      source: type === 'command' && container !== undefined ? 'docker' : type,
      intervalMs,
      retries,
      countFrom: run.startedAt + startPeriodMs,
      wasHealthy: this.#wasHealthy(slot),
    }
    const prepare = async (): Promise<PreparedCheck> =>
      await this.#deps.prepareCheck(place, this.#records.planSeenBy(slot.project, place.service.name))
    return startDeferredMonitor(known, prepare, begin, report)
  }

  #begin(
    slot: Slot,
    place: Place,
    run: Run,
    { check, env }: PreparedCheck,
    report: (news: HealthReport) => void,
  ): HealthMonitor {
    const { id, startedAt, identity } = run
    const { listening, portDiscovery, workdir: cwd } = place.service.config
    // It may have come before there was a monitor, or to another daemon.
    const wasNotified = this.#records.instance(slot)?.memory.notify?.isReady === true
    const wasHealthy = this.#wasHealthy(slot)
    const known = { run: id, startedAt, wasHealthy, wasNotified, ...(check === undefined ? {} : { check }) }
    if (identity === null) return this.#deps.startContainerMonitor(known, place, report)
    const { port } = place.instance
    return this.#deps.startMonitor({ ...known, identity, port, listening, portDiscovery, env, cwd }, report)
  }

  #wasHealthy(slot: Slot): boolean {
    const readyAfterMs = this.#records.instance(slot)?.memory.readyAfterMs ?? null
    return readyAfterMs !== null
  }

  #attendToFiles(slot: Slot, place: Place, instance: Instance): void {
    const { watch } = place.service.config
    // Whoever waits has not read any of them yet, or is watched already: for its next run.
    if (instance.state.id === 'waiting') return
    const isWatched = watch.length > 0 && isFileWatched(instance)
    const since = instance.memory.startedAt ?? this.#deps.clock.now()
    this.#attendants.watchFiles(slotId(slot), isWatched ? watch.join('\n') : null, () =>
      this.#deps.watchFiles(place, since, (report) => this.#apply(slot, report)),
    )
  }

  #report(slot: Slot, run: string, report: HealthReport): void {
    if (report.type === 'healthy') {
      return this.#apply(slot, { ...report, run })
    }
    const { type, source, message, output } = report
    this.#apply(slot, { type, run, source, message, output: output ?? null })
  }

  /** It is up, so that it has to give signs of life, also when it never said so itself. */
  #armWatchdog(slot: Slot, run: Run): void {
    if (this.#armed.get(slotId(slot)) === run.id) return
    this.#armed.set(slotId(slot), run.id)
    this.#records.afterwards(() => this.#inBackground(this.#deps.keeper.request('watchdog', { run: run.id })))
  }

  /** The last check of an instance that is watched; null when there was none yet. */
  lastCheck(project: string, key: string): CheckRecord | null {
    return this.#attendants.monitorOf(slotId({ project, key }))?.lastCheck ?? null
  }

  /** It has said that it is ready. */
  notified(slot: Slot): void {
    this.#attendants.monitorOf(slotId(slot))?.notified()
  }

  forget(slot: Slot): void {
    this.#attendants.forget(slotId(slot))
    this.#armed.delete(slotId(slot))
  }

  [Symbol.dispose](): void {
    this.#attendants[Symbol.dispose]()
  }
}

const healthKeys = new WeakMap<ServiceConfig, string>()

/** Equal for definitions by which the health of a run is watched in the same way. */
function healthKey(config: ServiceConfig): string {
  const known = healthKeys.get(config)
  if (known !== undefined) return known
  const { healthCheck = null, listening, portDiscovery } = config
  const key = JSON.stringify([healthCheck, listening, portDiscovery])
  healthKeys.set(config, key)
  return key
}
