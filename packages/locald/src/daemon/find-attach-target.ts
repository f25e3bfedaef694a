// Which instance is meant when somebody attaches, and whether it can be attached to.
import { LocaldError } from '@locald/protocol'
import type { ProjectSelector } from '@locald/protocol'
import { instanceKey } from '../plan/instance-key.ts'
import { selectInstances } from '../plan/selection.ts'
import { isActive } from '../supervisor/instance.ts'
import type { AttachTarget } from './attach-target.ts'
import { labelIn } from './projects.ts'
import type { Projects } from './projects.ts'

/** Rejects with `usage` when the name is that of several instances. */
export async function findAttachTarget(
  projects: Projects,
  selector: ProjectSelector,
  name: string,
): Promise<AttachTarget> {
  const plan = await projects.planOf(selector)
  const [only, ...others] = selectInstances(plan, [name], 'named')
  if (only === undefined || others.length > 0) {
    const labels = [only, ...others].flatMap((i) => (i === undefined ? [] : [labelIn(plan, i.service, i.instance)]))
    throw new LocaldError('usage', `Cannot attach to "${name}": it is ${labels.length} processes`, {
      hint: `Name one of them: ${labels.join(', ')}`,
    })
  }
  const { service, instance } = only
  const config = plan.services.find((s) => s.name === service)?.config
  return {
    project: plan.id,
    service,
    instance,
    tty: config?.tty ?? true,
    isContainer: config?.container !== undefined,
    source: projects.logSource(plan, only),
    current: () => projects.recordOf(plan.id)?.instances.get(instanceKey(service, instance)),
  }
}

/** Throws `not_running` when nothing of it is there, and `usage` when it has neither a terminal nor input. */
export function refuseUnattachable({ current, tty, isContainer, service, source: { label } }: AttachTarget): void {
  const instance = current()
  if (instance === undefined || !isActive(instance)) {
    throw new LocaldError(
      'not_running',
      `Cannot attach to "${label}": it is ${instance === undefined ? 'stopped' : instance.state.id}`,
      { hint: `Start it: locald up ${label}. What it wrote: locald logs ${label}` },
    )
  }
  if (isContainer && !tty) {
    throw new LocaldError('usage', `Cannot attach to "${label}": its container has no terminal and no input`, {
      hint: `Give it both by "tty = true" in [services.${service}]. To see its output: locald logs -f ${label}. For a shell inside: locald run ${label} -- sh`,
    })
  }
}
