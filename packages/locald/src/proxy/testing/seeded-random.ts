// Random numbers and bytes that are the same in each run: a failure can be looked at again.

export interface SeededRandom {
  /** From 0 to below `limit`, whole. */
  below(limit: number): number
  bytes(length: number): Buffer
  pick<T>(all: readonly T[]): T
}

/** xorshift32. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (limit: number): number => next() % limit
  return {
    below,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick: (all) => {
      const one = all[below(all.length)]
      if (one === undefined) throw new Error('There is nothing to choose from')
      return one
    },
  }
}
