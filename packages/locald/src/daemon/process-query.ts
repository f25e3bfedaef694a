// Answers which processes belong to the runs of services.
import type { ProjectSelector, ServiceProcesses } from '@locald/protocol'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import { selectInstances } from '../plan/selection.ts'
import { runOf, stateShown } from '../supervisor/instance.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { labelIn } from './projects.ts'
import type { Projects } from './projects.ts'

/** Of these services (labels or names), or of all when none is named; those without a run are left out. */
export async function queryProcesses(
  projects: Projects,
  keeper: DaemonParts['keeper'],
  selector: ProjectSelector,
  services: readonly string[],
): Promise<readonly ServiceProcesses[]> {
  const plan = await projects.planOf(selector)
  const record = projects.recordOf(plan.id)
  if (record === undefined) return []
  const { leaving } = record.planned
  const all = services.length === 0 ? plan : { ...plan, services: [...plan.services, ...leaving] }
  const asked = new Set(selectInstances(all, services, 'named').map((i) => instanceKey(i.service, i.instance)))
  const found = [...record.instances].map(async ([key, instance]) => {
    const run = runOf(instance)
    if (run === null || (services.length > 0 && !asked.has(key))) return []
    const { members } = await keeper.request('members', { run: run.id })
    const { service, instance: number } = splitInstanceKey(key)
    const { state } = instance
    return {
      service: labelIn(all, service, number),
      state: stateShown(state),
      stopping_since: state.id === 'stopping' ? new Date(state.since).toISOString() : null,
      processes: members,
    }
  })
  return (await Promise.all(found)).flat()
}
