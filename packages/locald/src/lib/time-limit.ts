// A limit of time that holds. Node 20 drops an `AbortSignal.timeout` with its timer when nothing but an `AbortSignal.any`
// knows of it, and then that never aborts: https://github.com/nodejs/node/issues/54614.

/** Ends with `[Symbol.dispose]()`, which lets go of the timer and of the other signal. */
export interface TimeLimit extends Disposable {
  /** Aborts when the time is over, or with the other signal. */
  readonly signal: AbortSignal
  /** Whether it was the time. */
  readonly isOver: boolean
}

/** `ms` may be Infinity. Does not keep the process alive. `signal`: aborts it as well. */
export function timeLimit(ms: number, signal?: AbortSignal): TimeLimit {
  const controller = new AbortController()
  let isOver = false
  const end = (): void => {
    isOver = !controller.signal.aborted
    controller.abort()
  }
  const timer = ms === Infinity ? undefined : setTimeout(end, ms).unref()
  const cancel = (): void => controller.abort()
  signal?.addEventListener('abort', cancel)
  if (signal?.aborted === true) cancel()
  return {
    signal: controller.signal,
    get isOver() {
      return isOver
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    },
  }
}
