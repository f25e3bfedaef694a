// Who has the ports of a project of which nothing runs.
import type { PortRow } from '@locald/protocol'
import { listListeners } from '../lib/listening-sockets.ts'
import { holdersOf } from '../lib/port-holder.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { CommandContext } from './command.ts'
import { offlinePlan } from './offline-project.ts'

/** The ports that the project here would get. */
export async function offlinePorts(context: CommandContext): Promise<readonly PortRow[]> {
  const { plan } = await offlinePlan(context)
  return await plannedPorts(plan)
}

/** The ports of a plan; whoever listens there is somebody else. */
export async function plannedPorts({ name: project, services }: Plan): Promise<readonly PortRow[]> {
  const listeners = await listListeners()
  const rows = services.flatMap((service) =>
    portsOf(service).map((row) => ({ row, listener: listeners.find(({ port }) => port === row.port) })),
  )
  const holders = await holdersOf(rows.flatMap(({ listener }) => listener ?? []))
  return rows.map(({ row, listener }): PortRow => {
    const holder = listener === undefined ? undefined : holders.get(listener.inode)
    const shown = holder === undefined ? null : { pid: holder.pid, command: holder.command, user: holder.user }
    return { project, ...row, listening: false, holder: shown }
  })
}

/** The further ports of a container are assigned also where the first is fixed. */
function portsOf({
  name: service,
  config,
  instances,
}: ServicePlan): readonly Omit<PortRow, 'project' | 'listening' | 'holder'>[] {
  const first = typeof config.port === 'number' ? 'fixed' : 'assigned'
  return instances.flatMap(({ instance, port, morePorts = [] }) => [
    ...(port === null ? [] : [{ service, instance, port, kind: first } as const]),
    ...morePorts.map((more) => ({ service, instance, port: more, kind: 'assigned' }) as const),
  ])
}
