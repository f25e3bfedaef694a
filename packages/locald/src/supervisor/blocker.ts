// Why waiting will not end by itself.
import { dependencyVerdict } from './dependencies.ts'
import { placeOf } from './place.ts'
import type { ProjectRecord } from './state.ts'

type Siblings = Pick<ProjectRecord, 'planned' | 'pending' | 'instances'>

/**
 * What an instance waits for in the end: something at the end of the chain that does not move by itself, with why. Null when there
 * is none, and it only has to wait. Pure.
 */
export function blockerOf(key: string, record: Siblings, seen = new Set<string>()): string | null {
  const place = seen.has(key) ? null : placeOf(record.planned, key)
  if (place === null) return null
  const verdict = dependencyVerdict(place.service, record)
  seen.add(key)
  if (verdict.verdict !== 'waiting') return null
  const { pending, instances } = record
  for (const unmet of verdict.unmet) {
    if (pending.has(unmet.key)) continue
    const state = instances.get(unmet.key)?.state
    const isStuck =
      state === undefined ||
      state.id === 'stopped' ||
      state.id === 'scheduled' ||
      (state.id === 'starting' && state.overdue) ||
      (state.id === 'running' && !state.healthy)
    if (isStuck) return `${unmet.service} (${unmet.reason})`
    const deeper = state.id === 'waiting' ? blockerOf(unmet.key, record, seen) : null
    if (deeper !== null) return deeper
  }
  return null
}
