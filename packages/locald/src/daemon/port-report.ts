// Which ports a project has, and who is on them.
import type { PortRow } from '@locald/protocol'
import type { Listener } from '../lib/listener.ts'
import { holderOfListener } from '../lib/port-holder.ts'
import type { PortHolder } from '../lib/port-holder.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import type { Instance } from '../supervisor/instance.ts'

export interface PortSubject {
  readonly plan: Plan
  readonly instances: ReadonlyMap<string, Instance>
}

/** `isOurs` tells whether a process belongs to this instance. */
export async function portRows(
  { plan, instances }: PortSubject,
  listeners: readonly Listener[],
  isOurs: (key: string, pid: number) => boolean,
): Promise<readonly PortRow[]> {
  const rows = plan.services.flatMap((service) =>
    service.instances.flatMap((planned) =>
      portsOf(service, planned, instances).map(([port, kind]) => ({ planned, port, kind })),
    ),
  )
  return await Promise.all(
    rows.map(async ({ planned, port, kind }): Promise<PortRow> => {
      const { service, instance } = planned
      const listener = listeners.find((l) => l.port === port)
      const holder = listener === undefined ? null : await holderOfListener(listener)
      const ours =
        holder?.pid !== null && holder?.pid !== undefined && isOurs(instanceKey(service, instance), holder.pid)
      return {
        project: plan.name,
        service,
        instance,
        port,
        kind,
        listening: ours,
        holder: ours ? null : holderShown(holder),
      }
    }),
  )
}

function portsOf(
  service: ServicePlan,
  planned: InstancePlan,
  instances: ReadonlyMap<string, Instance>,
): readonly (readonly [number, PortRow['kind']])[] {
  const found = instances.get(instanceKey(service.name, planned.instance))?.memory.ports ?? []
  const discovered = found.filter((port) => port !== planned.port).map((port) => [port, 'discovered'] as const)
  if (planned.port === null) return discovered
  return [[planned.port, typeof service.config.port === 'number' ? 'fixed' : 'assigned'], ...discovered]
}

function holderShown(holder: PortHolder | null): PortRow['holder'] {
  return holder === null ? null : { pid: holder.pid, command: holder.command, user: holder.user }
}
