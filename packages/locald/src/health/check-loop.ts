// When a check is run and what its results mean: quick until the first success, then by interval, with thresholds.
import type { HealthSource } from '@locald/protocol'
import { reachedBy } from './monitor.ts'
import type { Clock } from './clock.ts'
import type { CheckRecord, HealthReport, Reached } from './monitor.ts'

export type CheckResult =
  | (Reached & {
      readonly ok: true
      readonly source: HealthSource
      readonly message: string
      /** When to check again, where the interval alone would not have it checked ever again. */
      readonly retryInMs?: number
    })
  | {
      readonly ok: false
      readonly source: HealthSource
      readonly message: string
      readonly output?: string
      /** Also worth an unhealthy report when it has never been healthy: waiting alone will not mend it. */
      readonly isWrong?: boolean
      /** Counts at once also when it was healthy, however many `retries` there are. */
      readonly isCertain?: boolean
      /** A better moment for the next check than the pace gives. */
      readonly retryInMs?: number
      /** Only the check after `retryInMs` tells: this is no failure of what was healthy. */
      readonly isUndecided?: boolean
    }

type Success = CheckResult & { readonly ok: true }

export type LoopPhase = 'starting' | 'healthy' | 'unhealthy'

export interface CheckLoopOptions {
  readonly check: (signal: AbortSignal) => Promise<CheckResult>
  readonly report: (report: HealthReport) => void
  /** After each result, when it has been reported. */
  readonly settled?: () => void
  readonly clock: Clock
  readonly random: () => number
  readonly source: HealthSource
  /** Infinity: what is healthy once stays so, unless a result asks for another check. */
  readonly intervalMs: number
  readonly retries: number
  /** Milliseconds since the epoch; failures before it do not count, not even after a success. */
  readonly countFrom: number
  /** Between checks before the first success; grows from one to the other. Null: only when triggered. */
  readonly pace: { readonly fromMs: number; readonly toMs: number } | null
  readonly wasHealthy: boolean
}

const paceGrowth = 1.5
const ticksPerInterval = 20
/** Who is not up after so long is looked at less often. */
const patience = [
  { afterMs: 600_000, factor: 20 },
  { afterMs: 120_000, factor: 5 },
] as const

/** Runs one check after the other, never two at once. Silent and idle after disposal. */
export class CheckLoop implements Disposable {
  readonly #options: CheckLoopOptions
  readonly #abort = new AbortController()
  readonly #startedAt: number
  #isSteady: boolean
  #isSpread = false
  #phase: LoopPhase
  #source: HealthSource
  #failures = 0
  #paceMs: number
  #message: string | null = null
  /** The last one, and how it was reported; that is forgotten when it becomes unhealthy. */
  #success: Success | null = null
  #healthy: string | null = null
  #timer: Disposable | null = null
  #isChecking = false
  #isTriggered = false
  #last: CheckRecord | null = null

  constructor(options: CheckLoopOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.#isSteady = options.wasHealthy
    this.#phase = options.wasHealthy ? 'healthy' : 'starting'
    this.#source = options.source
    this.#paceMs = options.pace?.fromMs ?? 0
  }

  get source(): HealthSource {
    return this.#source
  }

  get last(): CheckRecord | null {
    return this.#last
  }

  get phase(): LoopPhase {
    return this.#phase
  }

  /** Healthy for the first time, or taken over as such: from then on intervals and thresholds hold. */
  get isSteady(): boolean {
    return this.#isSteady
  }

  /** What is healthy is reached elsewhere, or warned of for another reason: said without another check. */
  moved(reached: Reached): void {
    if (this.#phase !== 'healthy' || this.#success === null) return
    const { source, message } = this.#success
    this.#tellSuccess({ ok: true, source, message, ...reached })
  }

  /** Checks now, or again as soon as the check that is under way has ended. */
  trigger(): void {
    if (this.#isChecking) {
      this.#isTriggered = true
      return
    }
    this.#paceMs = this.#options.pace?.fromMs ?? 0
    void this.#run()
  }

  async #run(): Promise<void> {
    this.#stopTimer()
    if (this.#abort.signal.aborted) return
    this.#isChecking = true
    let result: CheckResult
    do {
      this.#isTriggered = false
      result = await this.#options.check(this.#abort.signal)
      if (this.#isOver()) return
      this.#settle(result)
      // A report can lead to disposal, or to a trigger.
    } while (this.#isTriggered && !this.#isOver())
    this.#isChecking = false
    if (!this.#isOver()) this.#schedule(result)
  }

  #isOver(): boolean {
    return this.#abort.signal.aborted
  }

  #schedule(result: CheckResult): void {
    this.#stopTimer()
    const delay = this.#delayAfter(result)
    if (delay !== null) this.#timer = this.#options.clock.after(delay, () => void this.#run())
  }

  #delayAfter(result: CheckResult): number | null {
    const { pace, intervalMs, random } = this.#options
    if (this.#isSteady) {
      if (!result.ok && result.isUndecided === true && result.retryInMs !== undefined) return result.retryInMs
      if (!Number.isFinite(intervalMs)) return result.retryInMs ?? null
      // Services that became healthy together must not be checked together for ever.
      const delay = this.#isSpread ? intervalMs : intervalMs * (0.5 + random() / 2)
      this.#isSpread = true
      return this.#aligned(delay)
    }
    if (!result.ok && result.retryInMs !== undefined) return result.retryInMs
    if (pace === null) return null
    const delay = this.#paceMs
    this.#paceMs = Math.min(pace.toMs, this.#paceMs * paceGrowth)
    const age = this.#options.clock.now() - this.#startedAt
    return delay * (patience.find(({ afterMs }) => age >= afterMs)?.factor ?? 1)
  }

  /** Checks of hundreds of services wake this process together, some at a time, instead of each by itself. */
  #aligned(delay: number): number {
    const step = this.#options.intervalMs / ticksPerInterval
    const at = this.#options.clock.now() + delay
    return delay + Math.round(at / step) * step - at
  }

  #settle(result: CheckResult): void {
    this.#source = result.source
    const output = result.ok ? null : (result.output ?? null)
    this.#last = { at: this.#options.clock.now(), ok: result.ok, message: result.message, output }
    if (result.ok) this.#succeed(result)
    else this.#fail(result)
    if (!this.#isOver()) this.#options.settled?.()
  }

  #succeed(result: Success): void {
    this.#failures = 0
    this.#isSteady = true
    this.#phase = 'healthy'
    this.#tellSuccess(result)
  }

  #tellSuccess(result: Success): void {
    const { source, message } = result
    this.#success = result
    const shown = JSON.stringify([source, reachedBy(result)])
    const isNew = this.#healthy !== shown
    this.#healthy = shown
    if (isNew) this.#report({ type: 'healthy', source, message, ...reachedBy(result) })
    else if (message !== this.#message) this.#report({ type: 'checked', source, message })
  }

  #fail(result: CheckResult & { readonly ok: false }): void {
    const { source, message, output } = result
    const details = output === undefined ? { source, message } : { source, message, output }
    const isNewMessage = message !== this.#message
    if (this.#isDown(result)) {
      const isNew = this.#phase !== 'unhealthy'
      this.#healthy = null
      this.#phase = 'unhealthy'
      if (isNew || isNewMessage)
        this.#report({ type: isNew || result.isWrong === true ? 'unhealthy' : 'checked', ...details })
    } else if (isNewMessage) this.#report({ type: 'checked', ...details })
  }

  /** Whether this failure makes, or keeps, it unhealthy. */
  #isDown(result: CheckResult & { readonly ok: false }): boolean {
    if (!this.#isSteady) return result.isWrong === true
    if (this.#phase === 'unhealthy' || result.isCertain === true) return true
    if (result.isUndecided === true) return false
    if (this.#options.clock.now() < this.#options.countFrom) return false
    this.#failures++
    return this.#failures >= this.#options.retries
  }

  #report(report: HealthReport): void {
    this.#message = report.message
    this.#options.report(report)
  }

  #stopTimer(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  [Symbol.dispose](): void {
    this.#abort.abort()
    this.#stopTimer()
  }
}
