// Durations as people write them.

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const part = /\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)/y

/** Milliseconds of `"500ms"`, `"2s"`, `"1m"`, `"1h"`, `"1m 30s"`, or of a number of seconds; `undefined` for anything else. */
export function parseDuration(written: string | number): number | undefined {
  if (typeof written === 'number')
    return Number.isFinite(written) && written >= 0 ? Math.round(written * 1000) : undefined
  const text = written.trim()
  let total = 0
  let at = 0
  while (at < text.length) {
    part.lastIndex = at
    const match = part.exec(text)
    if (match === null) return undefined
    total += Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN)
    at = part.lastIndex
  }
  return text === '' || !Number.isFinite(total) ? undefined : Math.round(total)
}
