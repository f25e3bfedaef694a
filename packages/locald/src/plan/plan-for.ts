import type { Diagnostic } from '@locald/protocol'
import type { Config, ServiceConfig } from '../config/config.ts'
import { addressesOf } from './addresses.ts'
import { dependenciesOf } from './dependencies.ts'
import { noEnvLayers } from './env-layers.ts'
import type { EnvLayers } from './env-layers.ts'
import { hostNamesOf } from './host-names.ts'
import { instanceKey } from './instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from './plan.ts'
import { assignPorts, portKey } from './ports.ts'
import type { PortInputs } from './ports.ts'
import { referenceFaults } from './reference-faults.ts'
import { serviceHash } from './service-hash.ts'
import { withWrittenPorts } from './written-port.ts'

/** Everything a plan depends on besides the configuration. */
export interface PlanInputs {
  /** Default: no env files. */
  readonly layers?: EnvLayers
  /** `--env NAME=VALUE`. Default none. */
  readonly flags?: Readonly<Record<string, string>>
  /** Ports of an earlier plan of this project ({@link keptPorts}). Default none. */
  readonly keptPorts?: PortInputs['kept']
  /** Ports of all other known projects, whether they run or not. Default none. */
  readonly reserved?: PortInputs['reserved']
  /** True when nobody listens on the port, or nobody but this very instance. Default: every port is free. */
  readonly isPortFree?: PortInputs['isFree']
  /** Count ports as foreman does, from this one ({@link portBaseOf}), instead of assigning them. */
  readonly portBase?: number
  /** Services of which a faulty configuration does not tell whether they have a port. Default: none. */
  readonly unclear?: ReadonlySet<string>
}

/** `diagnostics` of a plan are warnings; without a plan at least one is an error. */
export type PlanResult =
  | { readonly ok: true; readonly plan: Plan; readonly diagnostics: readonly Diagnostic[] }
  | {
      readonly ok: false
      /** Code of the error to raise with these diagnostics. */
      readonly code: 'config_invalid' | 'port_exhausted'
      readonly diagnostics: readonly Diagnostic[]
    }

/** Pure: the same configuration and inputs give the same plan, or everything that is in its way. */
export function planFor(config: Config, inputs: PlanInputs = {}): PlanResult {
  const { layers = noEnvLayers, flags = {}, unclear = new Set(), portBase } = inputs
  const dependencies = dependenciesOf(config)
  const written = withWrittenPorts(config, { layers, flags, isBased: portBase !== undefined })
  const names = hostNamesOf({ ...config, services: written.services }, unclear)
  const found = [
    ...referenceFaults({ ...config, services: written.services }, unclear),
    ...(dependencies.ok ? [] : dependencies.diagnostics),
    ...written.diagnostics,
    ...names.diagnostics,
  ]
  const ports = assignPorts(config.id, written.services, {
    kept: inputs.keptPorts ?? new Map(),
    reserved: inputs.reserved ?? new Set(),
    isFree: inputs.isPortFree ?? (() => true),
    ...(portBase === undefined ? {} : { base: portBase }),
  })
  const diagnostics = [...found, ...(ports.ok ? ports.warnings : ports.diagnostics)]
  const isFaulty = found.some(({ severity }) => severity === 'error')
  if (!dependencies.ok || !ports.ok || isFaulty) {
    return { ok: false, code: isFaulty || ports.ok ? 'config_invalid' : ports.code, diagnostics }
  }

  const drafts = written.services.map((service) => ({
    name: service.name,
    config: service,
    dependsOn: dependencies.dependsOn.get(service.name) ?? [],
    instances: ports.instances.get(service.name) ?? [],
  }))
  const addresses = addressesOf(drafts)
  const planned = new Map<string, ServicePlan>(
    drafts.map((draft) => {
      const port = draft.instances[0]?.port ?? null
      const hash = serviceHash({ project: config, service: draft.config, port, addresses, layers, flags })
      return [draft.name, { ...draft, hash }]
    }),
  )
  const { id, name, root, file } = config
  const services = dependencies.order.flatMap((each) => planned.get(each) ?? [])
  return {
    ok: true,
    plan: { id, name, root, file, hosts: names.hosts, services, config },
    diagnostics,
  }
}

/** Instances whose port the configuration fixes: somebody else's listener there is an error, not a reason to move. */
export function fixedPorts(plan: Plan): readonly (InstancePlan & { readonly port: number })[] {
  return plan.services.filter(isFixed).flatMap(({ instances }) => withPorts(instances))
}

/** The assigned ports of a plan, to be kept by the next one. */
export function keptPorts(plan: Plan): ReadonlyMap<string, number> {
  const assigned = plan.services.filter((service) => !isFixed(service)).flatMap(({ instances }) => withPorts(instances))
  return new Map([
    ...assigned.map((each) => [instanceKey(each.service, each.instance), each.port] as const),
    ...plan.services.flatMap(furtherKept),
  ])
}

/** The further ports of a container are assigned also where the first is fixed. */
function furtherKept({ config, instances }: ServicePlan): readonly (readonly [string, number])[] {
  const inside = config.container?.ports.slice(1) ?? []
  return instances.flatMap(({ service, instance, morePorts = [] }) =>
    morePorts.map((port, index) => [portKey(service, instance, inside[index]), port] as const),
  )
}

/** Foreman's base port: `PORT` of the env files, else of the shell, else 5000. */
export function portBaseOf(layers: EnvLayers, shell: Readonly<Record<string, string>>): number {
  const written = layers.dotenv.flatMap(({ entries }) => entries).findLast(({ name }) => name === 'PORT')?.value
  const port = [written, shell['PORT']].find((text) => text !== undefined && /^[1-9]\d{0,4}$/.test(text))
  return port === undefined ? 5000 : Number(port)
}

function isFixed({ config }: { readonly config: Pick<ServiceConfig, 'port'> }): boolean {
  return typeof config.port === 'number'
}

function withPorts(instances: readonly InstancePlan[]): readonly (InstancePlan & { readonly port: number })[] {
  return instances.flatMap(({ port, ...rest }) => (port === null ? [] : [{ ...rest, port }]))
}
