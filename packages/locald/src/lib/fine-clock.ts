// Wall-clock time finer than a millisecond, for putting what several processes wrote into one order.

/**
 * Milliseconds since the epoch with a fraction. Follows `Date.now()`, also when that is set back or has slept, and orders
 * calls within one of its milliseconds.
 */
export function createFineClock(): () => number {
  let millisecond = 0
  let origin = 0
  return () => {
    const now = Date.now()
    if (now !== millisecond) {
      millisecond = now
      origin = performance.now()
    }
    return millisecond + Math.min(performance.now() - origin, 0.999)
  }
}
