// Compares versions. https://semver.org/#spec-item-11, without the order of pre-releases among each other.

/** Whether `a` precedes `b`; false when one is not a version. */
export function isOlderVersion(a: string, b: string): boolean {
  const left = partsOf(a)
  const right = partsOf(b)
  if (left === null || right === null) return false
  for (const index of [0, 1, 2, 3] as const) {
    if (left[index] !== right[index]) return left[index] < right[index]
  }
  return false
}

/** Major, minor, patch, and 0 for a pre-release, which precedes its release. */
function partsOf(version: string): readonly [number, number, number, number] | null {
  const match = /^(\d+)\.(\d+)\.(\d+)(-)?/.exec(version)
  if (match === null) return null
  return [Number(match[1]), Number(match[2]), Number(match[3]), match[4] === undefined ? 1 : 0]
}
