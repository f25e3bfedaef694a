import type { Clock } from '../supervisor/attendants.ts'

/** The longest time a timer can be set for. */
const longestMs = 2 ** 31 - 1

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  at: (time, callback) => {
    let timer: NodeJS.Timeout
    const arm = (): void => {
      const left = time - Date.now()
      // A timer may fire a little early, and a long wait needs several.
      timer = setTimeout(() => (Date.now() < time ? arm() : callback()), Math.min(Math.max(0, left), longestMs))
      timer.unref()
    }
    arm()
    return () => clearTimeout(timer)
  },
}
