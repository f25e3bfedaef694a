// Chooses what decides about the health of a run, and watches it.
import { stripVTControlCharacters } from 'node:util'
import { unreachable } from '../lib/unreachable.ts'
import { CheckLoop } from './check-loop.ts'
import { systemClock } from './clock.ts'
import { commandCheck } from './command-check.ts'
import { httpCheck } from './http-check.ts'
import { reachedBy } from './monitor.ts'
import { PortTracker } from './port-tracker.ts'
import type { HealthSource } from '@locald/protocol'
import type { CheckLoopOptions, CheckResult } from './check-loop.ts'
import type { Clock } from './clock.ts'
import type { AttemptResult } from './http-check.ts'
import type { Cadence, Following, WatchedRun } from './listener-watch.ts'
import type { CheckRecord, HealthDependencies, HealthMonitor, HealthReport, HealthSubject, Reached } from './monitor.ts'
import type { Discovery, FoundPlace, PortState } from './port-tracker.ts'
import type { ProbeSpec } from './probe-spec.ts'

const nowhere: Reached = { ports: [], warnings: [] }
/** Where nothing explicit decides. */
const inferredTiming = { intervalMs: 10_000, retries: 3, startPeriodMs: 0 } as const
/** A look at the listeners serves the checks of so many milliseconds, or of a tenth of their interval. */
const sharedLookMs = 1000
/** A process that has lived for so long is taken to be up. */
const aliveMs = 1000

const second = 1000
const startingCadence: Cadence = [
  { everyMs: 1, forMs: 5 * second },
  { everyMs: 2, forMs: 25 * second },
  { everyMs: 10, forMs: 90 * second },
  { everyMs: 50, forMs: 480 * second },
  { everyMs: 250, forMs: Number.POSITIVE_INFINITY },
]
/** It may come back at any moment, such as after a syntax error in a dev server was mended. */
const unhealthyCadence: Cadence = [{ everyMs: 250, forMs: Number.POSITIVE_INFINITY }]
/** Healthy, and a listener may still come. */
const openCadence: Cadence = [
  { everyMs: 100, forMs: 30 * second },
  { everyMs: 1000, forMs: Number.POSITIVE_INFINITY },
]

/**
 * Watches one run until the monitor is disposed of. Never reports before it has returned. The first success is reported as
 * soon as it is seen; failures before it are reported as `checked`, or as `unhealthy` where waiting will not mend them.
 */
export function startMonitor(
  subject: HealthSubject,
  report: (report: HealthReport) => void,
  dependencies: HealthDependencies,
): HealthMonitor {
  const monitor = new Monitor(subject, report, dependencies)
  monitor.start()
  return monitor
}

/** What a kind of check brings along. */
interface Kind {
  readonly source: HealthSource
  readonly check: (signal: AbortSignal) => Promise<CheckResult>
  readonly pace?: CheckLoopOptions['pace']
  /** What is healthy once stays so. */
  readonly isFinal?: boolean
  readonly watched?: WatchedRun
  /** Says whether listeners matter also when it is healthy: a better one may come. */
  readonly tracker?: PortTracker
  /** The check says nothing of where it listens: the tracker does, and decides nothing else. */
  readonly isPlacedApart?: boolean
  readonly start?: () => void
}

class Monitor implements HealthMonitor {
  readonly #subject: HealthSubject
  readonly #dependencies: HealthDependencies
  readonly #clock: Clock
  readonly #ending = new AbortController()
  readonly #kind: Kind
  readonly #loop: CheckLoop
  #isNotified: boolean
  #following: Following | null = null
  /** Of what is placed apart: where it was found last. */
  #place: Reached = nowhere
  #placeTimer: Disposable | null = null

  constructor(subject: HealthSubject, report: (report: HealthReport) => void, dependencies: HealthDependencies) {
    this.#subject = subject
    this.#dependencies = dependencies
    this.#clock = dependencies.clock ?? systemClock
    const wasNotified = subject.wasNotified ?? (subject.wasHealthy && subject.check?.type === 'notify')
    this.#isNotified = wasNotified && (subject.check === undefined || subject.check.type === 'notify')
    this.#kind = this.#kindOf(subject.check)
    const timing = subject.check ?? inferredTiming
    this.#loop = new CheckLoop({
      check: async (signal) => await this.#placed(this.#shown(await this.#kind.check(signal))),
      report,
      settled: () => this.#follow(),
      clock: this.#clock,
      random: dependencies.random ?? Math.random,
      source: this.#kind.source,
      intervalMs: this.#kind.isFinal === true ? Number.POSITIVE_INFINITY : timing.intervalMs,
      retries: timing.retries,
      countFrom: subject.startedAt + timing.startPeriodMs,
      pace: this.#kind.pace ?? null,
      wasHealthy: subject.wasHealthy,
    })
  }

  get source(): HealthSource {
    return this.#loop.source
  }

  get lastCheck(): CheckRecord | null {
    return this.#loop.last
  }

  start(): void {
    this.#follow()
    this.#kind.start?.()
    this.#loop.trigger()
  }

  notified(): void {
    const { check } = this.#subject
    if (check !== undefined && check.type !== 'notify') return
    this.#isNotified = true
    this.#loop.trigger()
  }

  [Symbol.dispose](): void {
    this.#ending.abort()
    this.#placeTimer?.[Symbol.dispose]()
    this.#loop[Symbol.dispose]()
    this.#kind.watched?.[Symbol.dispose]()
  }

  #kindOf(check: ProbeSpec | undefined): Kind {
    switch (check?.type) {
      case undefined:
        return this.#inferred()
      case 'tcp':
        return check.owner === 'any' ? this.#tcpOfAny(check.port) : this.#tcpOfTree(check.port)
      case 'http':
        return this.#http(check)
      case 'command':
        return this.#command(check)
      case 'log':
        return this.#log(check.pattern)
      case 'notify':
        return {
          source: 'notify',
          isFinal: true,
          check: async () => missing('notify', 'Did not send READY=1 yet'),
          ...this.#apart(),
        }
      default:
        return unreachable(check)
    }
  }

  #inferred(): Kind {
    const { listening } = this.#subject
    switch (listening) {
      case 'must':
        return this.#tcpOfTree(undefined)
      case 'may':
        return this.#mayListen()
      case 'never':
        return { source: 'process', isFinal: true, check: async () => this.#alive() }
      default:
        return unreachable(listening)
    }
  }

  #tcpOfTree(port: number | undefined): Kind {
    const { watched, tracker } = this.#track(port)
    const check = async (): Promise<CheckResult> => {
      const state = await tracker.state()
      return state.type === 'listening'
        ? found('tcp', state.message, this.#ownFirst(state))
        : { ok: false, source: 'tcp', ...state }
    }
    return { source: 'tcp', check, watched, tracker }
  }

  #tcpOfAny(explicit: number | undefined): Kind {
    const port = explicit ?? this.#subject.port
    if (port === null) return portless('tcp')
    const watched = this.#watch([port])
    const check = async (): Promise<CheckResult> => {
      const { own, others, unknown, problem } = await watched.check()
      if (problem !== null) return missing('tcp', problem)
      return [...own, ...others, ...unknown].some((one) => one.port === port)
        ? found('tcp', `Something listens on port ${port}`, this.#reachedAt(port))
        : missing('tcp', `Nothing listens on port ${port}`)
    }
    return { source: 'tcp', check, watched }
  }

  /** A check may ask another port than the one that the service is reached at. */
  #ownFirst(state: Reached): Reached {
    const { port } = this.#subject
    const { ports, warnings } = state
    if (port === null || port === ports[0] || !ports.includes(port)) return reachedBy(state)
    return { ports: [port, ...ports.filter((one) => one !== port)], warnings }
  }

  #reachedAt(asked: number): Reached {
    const { port } = this.#subject
    return port === null || port === asked ? { ...nowhere, ports: [asked] } : nowhere
  }

  #mayListen(): Kind {
    const { watched, tracker } = this.#track(undefined)
    const given = this.#subject.port
    // Only the given port is a promise: a tool's passing listener elsewhere may go as it came.
    let hasListened = false
    const check = async (): Promise<CheckResult> => {
      const place = await this.#look(tracker)
      const { problem } = place
      const [port] = place.ports
      if (problem !== null) return { ...missing('tcp', problem), isWrong: true, isCertain: true }
      hasListened ||= port !== undefined && port === given
      if (port !== undefined) {
        const note = given === null || port === given ? '' : `, not on port ${given} that it was given`
        return found('tcp', `Listens on port ${port}${note}`, reachedBy(place))
      }
      return hasListened ? missing('tcp', `Does not listen on port ${given} any more`) : this.#alive()
    }
    return { source: 'process', check, watched, tracker }
  }

  /** For checks that say nothing of listeners; null: the service has none. */
  #apart(): Pick<Kind, 'watched' | 'tracker' | 'isPlacedApart'> | null {
    return this.#subject.listening === 'never' ? null : { ...this.#track(undefined), isPlacedApart: true }
  }

  /** Where it is reached; looks again when that can be known for sure. */
  async #look(tracker: PortTracker): Promise<FoundPlace> {
    const place = await tracker.place()
    this.#placeTimer?.[Symbol.dispose]()
    this.#placeTimer = null
    if (place.againInMs !== null && !this.#ending.signal.aborted) {
      this.#placeTimer = this.#clock.after(place.againInMs, () => this.#listenersChanged())
    }
    return place
  }

  /** What is healthy by a check of its own is healthy wherever it listens, unless it must not listen there. */
  async #placed(result: CheckResult): Promise<CheckResult> {
    const { tracker, isPlacedApart } = this.#kind
    if (!result.ok || tracker === undefined || isPlacedApart !== true) return result
    const place = await this.#look(tracker)
    if (place.problem !== null) return { ...missing('tcp', place.problem), isWrong: true, isCertain: true }
    return { ...result, ...this.#remembered(place) }
  }

  /** It has moved, perhaps, and is as healthy as before. */
  async #followPlace(tracker: PortTracker): Promise<void> {
    const place = await this.#look(tracker)
    if (this.#ending.signal.aborted) return
    this.#follow()
    if (place.problem !== null) return this.#loop.trigger()
    this.#loop.moved(this.#remembered(place))
  }

  /** Who listens nowhere for a moment is expected where it was. */
  #remembered(place: FoundPlace): Reached {
    if (place.ports.length > 0) this.#place = reachedBy(place)
    return this.#place
  }

  #alive(): CheckResult {
    const age = this.#clock.now() - this.#subject.startedAt
    if (age >= aliveMs || this.#subject.wasHealthy) return found('process', 'Runs for more than 1 s')
    // A clock that was set back must not make anybody wait.
    const retryInMs = Math.min(aliveMs, aliveMs - age)
    return { ...missing('process', 'Runs for less than 1 s'), retryInMs }
  }

  #http(check: ProbeSpec & { readonly type: 'http' }): Kind {
    const pace = { fromMs: 10, toMs: 50 }
    const { port } = check
    if (port === undefined || port === this.#subject.port) {
      const { watched, tracker } = this.#track(port)
      const askAt = async (state: PortState, signal: AbortSignal): Promise<CheckResult> => {
        if (state.type === 'missing') return { ok: false, source: 'http', ...state }
        const { ports, addresses } = state
        const answer = await httpCheck({ ...check, port: ports[0] ?? 0, addresses }, signal)
        return fromAttempt('http', answer, reachedBy(state))
      }
      const ask = async (signal: AbortSignal): Promise<CheckResult> => {
        const state = await tracker.state()
        const result = await askAt(state, signal)
        if (result.ok || state.type === 'missing' || this.#listenersMaxAge() === undefined) return result
        // Where it listens was known from a look that others have shared: it may have moved since.
        const now = await tracker.state(0)
        return now.type === 'listening' && now.ports[0] === state.ports[0] ? result : await askAt(now, signal)
      }
      return { source: 'http', check: ask, pace, watched, tracker }
    }
    const attempt = { ...check, port, addresses: ['127.0.0.1', '::1'] }
    // Whoever serves that port: it was named, and it is not the one that this service was given.
    const ask = async (signal: AbortSignal): Promise<CheckResult> =>
      fromAttempt('http', await httpCheck(attempt, signal), this.#reachedAt(port))
    return { source: 'http', check: ask, pace, watched: this.#watch([port]) }
  }

  #command({ command, timeoutMs }: ProbeSpec & { readonly type: 'command' }): Kind {
    const { env, cwd } = this.#subject
    const check = async (signal: AbortSignal): Promise<CheckResult> =>
      fromAttempt('command', await commandCheck({ command, env, cwd, timeoutMs }, signal))
    // Most commands ask the service's port: a new listener is the best moment to try.
    const apart = this.#apart() ?? { watched: this.#watch([]) }
    return { source: 'command', check, pace: { fromMs: 50, toMs: 250 }, ...apart }
  }

  #log(pattern: string): Kind {
    let matched = this.#subject.wasHealthy
    let problem: string | null = null
    const search = async (): Promise<void> => {
      try {
        const expression = new RegExp(pattern, 'u')
        matched = await this.#hasLine(expression)
      } catch (error) {
        problem = `Cannot look for "${pattern}" in the output: ${error instanceof Error ? error.message : String(error)}`
      }
      if (!this.#ending.signal.aborted) this.#loop.trigger()
    }
    const check = async (): Promise<CheckResult> => {
      if (matched) return found('log', `A line of the output matched "${pattern}"`)
      if (problem !== null) return { ...missing('log', problem), isWrong: true }
      return missing('log', `No line of the output matched "${pattern}" yet`)
    }
    return { source: 'log', isFinal: true, check, start: () => void (matched || search()), ...this.#apart() }
  }

  /** Ends at the first line that matches, with or without its colours and other terminal codes. */
  async #hasLine(expression: RegExp): Promise<boolean> {
    for await (const line of this.#dependencies.lines(this.#subject.run, this.#ending.signal)) {
      if (expression.test(line) || expression.test(stripVTControlCharacters(line))) return true
    }
    return false
  }

  /** The service's word outranks what is seen of it, but not what speaks against it. */
  #shown(result: CheckResult): CheckResult {
    if (!this.#isNotified) return result
    if (result.ok) return { ...result, source: 'notify', message: 'Sent READY=1' }
    const isAnswer = this.#kind.source === 'notify' || (!this.#loop.isSteady && result.isWrong !== true)
    return isAnswer ? found('notify', 'Sent READY=1') : result
  }

  #track(port: number | undefined): { readonly watched: WatchedRun; readonly tracker: PortTracker } {
    const { port: own, portDiscovery } = this.#subject
    const given = port ?? own
    const discovery: Discovery = port === undefined ? portDiscovery : 'exact'
    const watched = this.#watch(given === null ? [] : [given])
    const { wasHealthy } = this.#subject
    const maxAgeMs = (): number | undefined => this.#listenersMaxAge()
    const tracker = new PortTracker(watched, { given, discovery, clock: this.#clock, wasHealthy, maxAgeMs })
    return { watched, tracker }
  }

  /** While all is well, those who check within a moment share one look: of hundreds each would ask for all of them. */
  #listenersMaxAge(): number | undefined {
    if (!this.#loop.isSteady || this.#loop.phase !== 'healthy') return undefined
    const { intervalMs } = this.#subject.check ?? inferredTiming
    return Math.min(sharedLookMs, intervalMs / 10)
  }

  #watch(ports: readonly number[]): WatchedRun {
    const { identity, startedAt, wasHealthy } = this.#subject
    // Of a run that this daemon did not start, nothing is known of what came first.
    const since = wasHealthy ? {} : { startedAt }
    const watched = this.#dependencies.listeners.watch({
      identity,
      ports,
      changed: () => this.#listenersChanged(),
      ...since,
    })
    return watched
  }

  #listenersChanged(): void {
    this.#follow()
    const { watched, tracker, isPlacedApart } = this.#kind
    if (this.#loop.phase !== 'healthy') return this.#loop.trigger()
    if (tracker !== undefined && isPlacedApart === true) return void this.#followPlace(tracker)
    // What it lost is counted by the interval: a reload that closes its socket for a moment is no failure.
    if (watched !== undefined && watched.listeners.own.length > 0) this.#loop.trigger()
  }

  #follow(): void {
    const { watched, tracker } = this.#kind
    const following = this.#followingFor(tracker)
    // The same cadence anew would begin at its quickest step again.
    if (following === this.#following) return
    this.#following = following
    watched?.follow(following)
  }

  #followingFor(tracker: PortTracker | undefined): Following | null {
    if (!this.#loop.isSteady) return startingCadence
    if (this.#loop.phase === 'unhealthy') return unhealthyCadence
    if (tracker === undefined) return null
    return tracker.isSettled ? 'losses' : openCadence
  }
}

function found(source: HealthSource, message: string, reached: Reached = nowhere): CheckResult {
  return { ok: true, source, message, ...reached }
}

function missing(source: HealthSource, message: string): CheckResult & { readonly ok: false } {
  return { ok: false, source, message }
}

function fromAttempt(
  source: HealthSource,
  { ok, message, output }: AttemptResult,
  reached: Reached = nowhere,
): CheckResult {
  if (ok) return { ok, source, message, ...reached }
  return output === undefined ? { ok, source, message } : { ok, source, message, output }
}

/** Not the configuration layer's to notice: a port can be taken from a service by its type. */
function portless(source: HealthSource): Kind {
  const message = 'The check has no port: the service was given none, and the check names none'
  return { source, isFinal: true, check: async () => ({ ...missing(source, message), isWrong: true }) }
}
