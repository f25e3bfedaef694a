// Watches by a check that somebody else brings, with the pace and the thresholds of every other one.
import type { HealthSource } from '@locald/protocol'
import { CheckLoop } from './check-loop.ts'
import type { CheckLoopOptions, CheckResult } from './check-loop.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import type { CheckRecord, HealthMonitor, HealthReport } from './monitor.ts'

/** A check from outside of this folder. */
export interface BroughtCheck {
  readonly source: HealthSource
  readonly check: (signal: AbortSignal) => Promise<
    /** `retryInMs`: see `CheckResult`. */
    | { readonly ok: true; readonly message: string; readonly retryInMs?: number }
    | { readonly ok: false; readonly message: string; readonly output?: string; readonly retryInMs?: number }
  >
  readonly pace: CheckLoopOptions['pace']
  readonly intervalMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** Whether READY=1 makes it healthy. */
  readonly takesNotify: boolean
  /** Calls back when it is worth checking again. */
  readonly watch: (changed: () => void) => Disposable
}

export interface BroughtSubject {
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Where it is reached when it is healthy. */
  readonly ports: readonly number[]
  readonly wasHealthy: boolean
  readonly wasNotified: boolean
}

/** After a check could not be brought; from one to the other. */
const bringAgainMs = { first: 250, longest: 5000 } as const

/**
 * The same contract as `startMonitor`. The check may be brought later: until then nothing is reported but why it cannot be
 * brought, and it is tried again.
 */
export function startCheckMonitor(
  subject: BroughtSubject,
  source: HealthSource,
  bring: () => Promise<BroughtCheck>,
  report: (report: HealthReport) => void,
  clock: Clock = systemClock,
): HealthMonitor {
  const monitor = new CheckMonitor(subject, source, report, clock)
  monitor.bring(bring)
  return monitor
}

class CheckMonitor implements HealthMonitor {
  readonly #subject: BroughtSubject
  readonly #report: (report: HealthReport) => void
  readonly #clock: Clock
  #source: HealthSource
  #brought: { readonly check: BroughtCheck; readonly loop: CheckLoop; readonly watching: Disposable } | null = null
  /** Why there is no check yet. */
  #failure: string | null = null
  #retry: Disposable | null = null
  #isNotified: boolean
  #isDisposed = false

  constructor(subject: BroughtSubject, source: HealthSource, report: (report: HealthReport) => void, clock: Clock) {
    this.#subject = subject
    this.#source = source
    this.#report = report
    this.#clock = clock
    this.#isNotified = subject.wasNotified
  }

  get source(): HealthSource {
    return this.#brought?.loop.source ?? this.#source
  }

  get lastCheck(): CheckRecord | null {
    return this.#brought?.loop.last ?? null
  }

  bring(bring: () => Promise<BroughtCheck>, againInMs: number = bringAgainMs.first): void {
    bring().then(
      (check) => this.#start(check),
      (error: unknown) => {
        if (this.#isDisposed) return
        this.#fail(error instanceof Error ? error.message : String(error))
        const next = Math.min(againInMs * 2, bringAgainMs.longest)
        this.#retry = this.#clock.after(againInMs, () => this.bring(bring, next))
      },
    )
  }

  #start(check: BroughtCheck): void {
    if (this.#isDisposed) return
    this.#source = check.source
    const loop: CheckLoop = new CheckLoop({
      check: async (signal) => this.#shown(check, loop, await this.#result(check, signal)),
      report: this.#report,
      clock: this.#clock,
      random: Math.random,
      source: check.source,
      intervalMs: check.intervalMs,
      retries: check.retries,
      countFrom: this.#subject.startedAt + check.startPeriodMs,
      pace: check.pace,
      wasHealthy: this.#subject.wasHealthy,
    })
    this.#brought = { check, loop, watching: check.watch(() => loop.trigger()) }
    loop.trigger()
  }

  #fail(message: string): void {
    if (message !== this.#failure) this.#report({ type: 'checked', source: this.#source, message })
    this.#failure = message
  }

  notified(): void {
    this.#isNotified = true
    if (this.#brought?.check.takesNotify === true) this.#brought.loop.trigger()
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#retry?.[Symbol.dispose]()
    this.#brought?.loop[Symbol.dispose]()
    this.#brought?.watching[Symbol.dispose]()
  }

  async #result({ source, check }: BroughtCheck, signal: AbortSignal): Promise<CheckResult> {
    const result = await check(signal)
    if (!result.ok) return { ...result, source }
    const { message, retryInMs } = result
    return { ...this.#found(source, message), ...(retryInMs === undefined ? {} : { retryInMs }) }
  }

  /** The service's word counts until its check has succeeded, and is what is shown. */
  #shown({ takesNotify, source }: BroughtCheck, { isSteady }: CheckLoop, result: CheckResult): CheckResult {
    if (!takesNotify || !this.#isNotified) return result
    const isAnswer = result.ok || !isSteady || source === 'notify'
    return isAnswer ? this.#found('notify', 'Sent READY=1') : result
  }

  #found(source: HealthSource, message: string): CheckResult {
    return { ok: true, source, message, ports: this.#subject.ports, warnings: [] }
  }
}
