// Answers which processes belong to the runs of services.
import type { ProjectSelector, ServiceProcess, ServiceProcesses } from '@locald/protocol'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import type { Plan } from '../plan/plan.ts'
import { projectLabel } from '../plan/project-label.ts'
import { selectInstances } from '../plan/selection.ts'
import { runOf, stateShown } from '../supervisor/instance.ts'
import type { Instance, Run } from '../supervisor/instance.ts'
import type { ProjectRecord } from '../supervisor/state.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { labelIn } from './projects.ts'
import type { Projects } from './projects.ts'

type ProcessParts = Pick<DaemonParts, 'keeper' | 'supervisor' | 'strays'>

/** Of these services (labels or names), or of all when none is named; those without a run are left out. */
export async function queryProcesses(
  projects: Projects,
  parts: ProcessParts,
  selector: ProjectSelector,
  services: readonly string[],
): Promise<readonly ServiceProcesses[]> {
  if (selector.dir === undefined && selector.file === undefined) return await allProcesses(parts)
  const plan = await projects.planOf(selector)
  const record = projects.recordOf(plan.id)
  if (record === undefined) return []
  if (services.length === 0) return await processesOf(record, plan, parts.keeper)
  const all = { ...plan, services: [...plan.services, ...record.planned.leaving] }
  const keys = selectInstances(all, services, 'named').map((i) => instanceKey(i.service, i.instance))
  return await processesOf(record, all, parts.keeper, new Set(keys))
}

/** Of every project, what tells the project apart before each label; and what no project knows. */
async function allProcesses({ supervisor, keeper, strays }: ProcessParts): Promise<readonly ServiceProcesses[]> {
  const records = [...supervisor.state.projects.values()]
  const plans = records.map(({ planned }) => planned.plan)
  const found = records.map(async (record) => {
    const { plan } = record.planned
    const processes = await processesOf(record, plan, keeper)
    const label = projectLabel(plan, plans)
    return processes.map((each) => ({ ...each, service: `${label} ${each.service}` }))
  })
  return [...(await Promise.all(found)).flat(), ...(await strays.processes())]
}

async function processesOf(
  record: ProjectRecord,
  plan: Plan,
  keeper: ProcessParts['keeper'],
  keys: ReadonlySet<string> = new Set(record.instances.keys()),
): Promise<readonly ServiceProcesses[]> {
  const found = [...record.instances].map(async ([key, instance]) => {
    const run = runOf(instance)
    if (run === null || !keys.has(key)) return []
    return [shown(instance, key, plan, await membersOf(run, keeper))]
  })
  return (await Promise.all(found)).flat()
}

function shown({ state }: Instance, key: string, plan: Plan, processes: readonly ServiceProcess[]): ServiceProcesses {
  const { service, instance } = splitInstanceKey(key)
  return {
    service: labelIn(plan, service, instance),
    state: stateShown(state),
    stopping_since: state.id === 'stopping' ? new Date(state.since).toISOString() : null,
    processes,
  }
}

/** The keeper knows nothing of containers: it is not the keeper that runs them. */
async function membersOf({ id, container }: Run, keeper: ProcessParts['keeper']): Promise<readonly ServiceProcess[]> {
  if (container === undefined) return (await keeper.request('members', { run: id })).members
  return [{ pid: container.pid, command: `container ${container.name}`, container: container.id }]
}
