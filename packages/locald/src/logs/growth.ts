// Waits until streams grow, without missing growth while nobody waits.
import type { LogFollow } from './log-reader.ts'

/** Beyond this a timer fires at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args. */
const longestTimerMs = 2 ** 31 - 1

export class Growth implements Disposable {
  readonly #signal: AbortSignal
  readonly #stop: () => void
  #grown = new Set<string>()
  #wake: () => void = () => undefined

  /** Listens from now on. */
  constructor({ signal, onGrew }: LogFollow) {
    this.#signal = signal
    const end = (): void => this.#wake()
    signal.addEventListener('abort', end)
    const unsubscribe = onGrew((stream) => {
      this.#grown.add(stream)
      this.#wake()
    })
    this.#stop = () => {
      signal.removeEventListener('abort', end)
      unsubscribe()
    }
  }

  /** Nothing more is wanted. */
  get isOver(): boolean {
    return this.#signal.aborted
  }

  /** The streams that have grown since the last call; waits until there is one, or until this time has passed, or the end. */
  async wait(streams: ReadonlySet<string>, timeoutMs: number): Promise<ReadonlySet<string>> {
    const isDone = (): boolean => this.isOver || [...this.#grown].some((stream) => streams.has(stream))
    if (!isDone() && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs > longestTimerMs ? undefined : setTimeout(resolve, timeoutMs)
        this.#wake = () => {
          if (!isDone()) return
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const grown = this.#grown
    this.#grown = new Set()
    return grown
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}
