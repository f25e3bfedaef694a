// Guesses which name was meant.

/**
 * The candidate that `name` most likely was meant to be, or `undefined` when none is near: at most a third of its letters
 * differ (by insertion, deletion, replacement or exchange of neighbours), or it is the only one that begins with `name`.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  const extensions: string[] = []
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    const limit = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
    if (distance <= limit && distance < bestDistance && distance < wanted.length) {
      best = candidate
      bestDistance = distance
    }
    if (wanted.length >= 2 && candidate.toLowerCase().startsWith(wanted)) extensions.push(candidate)
  }
  return best ?? (extensions.length === 1 ? extensions[0] : undefined)
}

/** Optimal string alignment distance: https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let distance = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforePrevious[j - 2] ?? 0) + 1)
      }
      row.push(distance)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
