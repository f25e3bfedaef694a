// Which ports a project has, and who is on them.
import type { PortRow } from '@locald/protocol'
import type { Listener } from '../lib/listener.ts'
import { holdersOf } from '../lib/port-holder.ts'
import type { PortHolder } from '../lib/port-holder.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import { runOf } from '../supervisor/instance.ts'
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
  const listenerOn = (port: number): Listener | undefined => listeners.find((l) => l.port === port)
  const holders = await holdersOf(rows.flatMap(({ port }) => listenerOn(port) ?? []))
  return rows.map(({ planned, port, kind }): PortRow => {
    const { service, instance } = planned
    const holder = holders.get(listenerOn(port)?.inode ?? -1) ?? null
    const pid = holder?.pid ?? null
    const key = instanceKey(service, instance)
    const isOwn = isPublished(instances.get(key), holder) || (pid !== null && isOurs(key, pid))
    const shown = isOwn ? null : holderShown(holder)
    return { project: plan.name, service, instance, port, kind, listening: isOwn, holder: shown }
  })
}

/** What a running container publishes, a process of the engine listens on. */
function isPublished(instance: Instance | undefined, holder: PortHolder | null): boolean {
  return instance !== undefined && holder !== null && runOf(instance)?.container !== undefined
}

function portsOf(
  service: ServicePlan,
  planned: InstancePlan,
  instances: ReadonlyMap<string, Instance>,
): readonly (readonly [number, PortRow['kind']])[] {
  const found = instances.get(instanceKey(service.name, planned.instance))?.memory.ports ?? []
  const discovered = found
    .filter((port) => port !== planned.port && planned.morePorts?.includes(port) !== true)
    .map((port) => [port, 'discovered'] as const)
  if (planned.port === null) return discovered
  const more = planned.morePorts ?? []
  return [
    [planned.port, typeof service.config.port === 'number' ? 'fixed' : 'assigned'],
    ...more.map((port) => [port, 'assigned'] as const),
    ...discovered,
  ]
}

function holderShown(holder: PortHolder | null): PortRow['holder'] {
  return holder === null ? null : { pid: holder.pid, command: holder.command, user: holder.user }
}
