// Answers `env`: the environment that a service would be started with now.
import type { EnvAnswer, ProjectSelector } from '@locald/protocol'
import { notifyAddress } from '../keeper/notify-address.ts'
import { addressesOf } from '../plan/addresses.ts'
import { environmentFor } from '../plan/environment.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan } from '../plan/plan.ts'
import { readEnvLayers } from '../plan/read-env-layers.ts'
import { selectInstances } from '../plan/selection.ts'
import { runOf } from '../supervisor/instance.ts'
import { ownAddresses } from './own-addresses.ts'
import type { DaemonParts } from './daemon-parts.ts'
import type { Projects } from './projects.ts'

type EnvParts = Pick<DaemonParts, 'supervisor' | 'shells' | 'hello' | 'installation' | 'names' | 'trust' | 'ports'>

export async function queryEnv(
  projects: Projects,
  parts: EnvParts,
  selector: ProjectSelector,
  service: string,
): Promise<EnvAnswer> {
  const { supervisor, shells } = parts
  const plan = await projects.planOf(selector)
  const [instance] = selectInstances(plan, [service], 'named')
  if (instance === undefined) return { service, variables: [] }
  const layers = await readEnvLayers(plan.config)
  const record = projects.recordOf(plan.id)
  const flags = record?.planned.flags ?? {}
  const notify = notifyOf(parts, plan, instance)
  const planned = plan.services.find(({ name }) => name === instance.service)
  const proxy = parts.ports === null ? null : { certificates: async () => {} }
  const own = planned === undefined ? {} : await ownAddresses(plan, planned, { ...parts, proxy })
  const seen = record === undefined ? plan : supervisor.planSeenBy(plan.id, instance.service)
  const shell = await shells.of(plan.id)
  const { variables } = environmentFor(seen, instance, { layers, shell, flags, ...notify, ...own })
  const ports = Object.fromEntries([...addressesOf(seen.services).values()].map((each) => [each.name, each.ports]))
  return { service, variables, ports }
}

/** Where what runs of an instance can notify now. */
function notifyOf(
  { supervisor, hello, installation }: EnvParts,
  plan: Plan,
  { service, instance }: InstancePlan,
): { readonly notifySocket?: string } {
  const known = supervisor.state.projects.get(plan.id)?.instances.get(instanceKey(service, instance))
  const run = known === undefined ? null : runOf(known)
  const isContainer = plan.services.find(({ name }) => name === service)?.config.container !== undefined
  const isHeard = run !== null && !isContainer && hello.protocol >= 2
  const address = isHeard ? notifyAddress(run.id, installation.runtime) : null
  return address === null ? {} : { notifySocket: address }
}
