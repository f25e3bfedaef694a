// Random choices that a seed repeats.

export interface Random {
  /** From 0, less than 1. */
  next(): number
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
  /** One of them. */
  pick<T>(choices: readonly [T, ...T[]]): T
}

/** The same seed gives the same numbers: a 32-bit generator of the mulberry family. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { next, below, pick: (choices) => choices[below(choices.length)] ?? choices[0] }
}
