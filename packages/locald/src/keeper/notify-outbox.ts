// Holds back what a service says too quickly, so that neither the daemon nor the keeper's memory pays for it.
import { mergeNotifyFields } from './notify-message.ts'
import type { FactBody } from './fact-log.ts'
import type { NotifyFields } from './notify-message.ts'
import type { NotifyRefusal, NotifySender } from './protocol.ts'

/** So many messages are told as they come; then so many a second, each with everything that came in between. */
const burst = 20
const refillMs = 200
const refusalMs = 1000
/** As long as the daemon has not acknowledged so many, the rest waits and is merged. */
const mostUnacknowledged = 40

export interface NotifyOutboxOptions {
  readonly tell: (body: FactBody) => void
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number
  readonly after: (ms: number, task: () => void) => () => void
}

/** What is taken is told in its order, at once or merged. Messages that were refused are counted. */
export class NotifyOutbox {
  readonly #options: NotifyOutboxOptions
  #tokens = burst
  #refilledAt: number
  #unacknowledged = 0
  #accepted: { readonly fields: NotifyFields; readonly sender: NotifySender } | null = null
  #refused: (NotifyRefusal & { readonly count: number }) | null = null
  #alarm: { readonly is: 'missed' | 'resumed'; readonly periodMs: number } | null = null
  #refusalTold = Number.NEGATIVE_INFINITY
  #cancelTimer: (() => void) | null = null

  constructor(options: NotifyOutboxOptions) {
    this.#options = options
    this.#refilledAt = options.now()
  }

  accept(fields: NotifyFields, sender: NotifySender): void {
    const before = this.#accepted?.fields ?? {}
    this.#accepted = { fields: mergeNotifyFields(before, fields), sender }
    this.#tellWhatMayBe()
  }

  refuse(refusal: NotifyRefusal): void {
    this.#refused = { ...refusal, count: (this.#refused?.count ?? 0) + 1 }
    this.#tellWhatMayBe()
  }

  /** What the watchdog has noticed; only the latest matters. */
  alarm(is: 'missed' | 'resumed', periodMs: number): void {
    this.#alarm = { is, periodMs }
    this.#tellWhatMayBe()
  }

  /** The daemon has stored one of the facts. */
  acknowledged(): void {
    this.#unacknowledged--
    this.#tellWhatMayBe()
  }

  /** Tells what is held back, whatever the pace. */
  flush(): void {
    this.#stopTimer()
    this.#tellAccepted()
    this.#tellAlarm()
    this.#tellRefused()
  }

  /** Whatever is held back is forgotten. */
  stop(): void {
    this.#stopTimer()
    this.#accepted = null
    this.#alarm = null
    this.#refused = null
  }

  #tellWhatMayBe(): void {
    this.#stopTimer()
    if (this.#unacknowledged >= mostUnacknowledged) return
    const waits: number[] = []
    if (this.#accepted !== null || this.#alarm !== null) {
      const wait = this.#untilToken()
      if (wait > 0) waits.push(wait)
      else {
        this.#tokens--
        this.#tellAccepted()
        this.#tellAlarm()
      }
    }
    if (this.#refused !== null) {
      const wait = this.#refusalTold + refusalMs - this.#options.now()
      if (wait > 0) waits.push(wait)
      else this.#tellRefused()
    }
    if (waits.length > 0) this.#cancelTimer = this.#options.after(Math.min(...waits), () => this.#tellWhatMayBe())
  }

  #untilToken(): number {
    const now = this.#options.now()
    const refilled = Math.floor((now - this.#refilledAt) / refillMs)
    this.#refilledAt += refilled * refillMs
    this.#tokens = Math.min(burst, this.#tokens + refilled)
    return this.#tokens > 0 ? 0 : this.#refilledAt + refillMs - now
  }

  #tellAccepted(): void {
    if (this.#accepted === null) return
    const body = this.#accepted
    this.#accepted = null
    this.#tell({ type: 'notified', ...body })
  }

  #tellAlarm(): void {
    if (this.#alarm === null) return
    const body = this.#alarm
    this.#alarm = null
    this.#tell({ type: 'watchdog', ...body })
  }

  #tellRefused(): void {
    if (this.#refused === null) return
    const body = this.#refused
    this.#refused = null
    this.#refusalTold = this.#options.now()
    this.#tell({ type: 'notify-refused', ...body })
  }

  #tell(body: FactBody): void {
    this.#unacknowledged++
    this.#options.tell(body)
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }
}
