// A project as its files say, for commands that need no daemon. Loaded only when one is needed: the parsers behind it are heavy.
import type { EnvVariable } from '@locald/protocol'
import { discover } from '../config/discover.ts'
import { loadConfig } from '../config/load-config.ts'
import type { LoadOptions } from '../config/load-config.ts'
import { environmentFor } from '../plan/environment.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { readPlan } from '../plan/read-plan.ts'
import type { ReadPlan } from '../plan/read-plan.ts'
import { selectInstances, unknownService } from '../plan/selection.ts'
import type { CommandContext } from './command.ts'
import { definedVariables } from './option-values.ts'

/** Where to look for the configuration. */
export function configOptions({ cwd, env, selector, installation }: CommandContext): LoadOptions {
  return {
    dir: cwd,
    home: env['HOME'] ?? '/',
    userConfigFile: installation.userConfig,
    ...(selector.file === undefined ? {} : { file: selector.file }),
  }
}

/** Ports are those that would be assigned first. Throws everything that is wrong with the configuration. */
export async function offlinePlan(context: CommandContext): Promise<ReadPlan> {
  return await readPlan(await loadConfig(configOptions(context)), () => ({}))
}

/** Throws `service_unknown`. `name` may be that of an instance; of a service, its first one is meant. */
export function plannedInstance(
  plan: Plan,
  name: string,
): { readonly service: ServicePlan; readonly instance: number } {
  const [first] = selectInstances(plan, [name], 'named')
  const service = plan.services.find((each) => each.name === first?.service)
  if (first === undefined || service === undefined) throw unknownService(plan.name, name, [])
  return { service, instance: first.instance }
}

/** Throws as the daemon would: `config_not_found`, and `service_unknown` for names that the configuration lacks. */
export async function refuseUnknown(context: CommandContext, names: readonly string[]): Promise<void> {
  await discover(configOptions(context))
  if (names.length === 0) return
  const { plan } = await offlinePlan(context)
  selectInstances(plan, names, 'named')
}

/** The environment that a service would get if this shell started it now. */
export function offlineVariables(context: CommandContext, read: ReadPlan, name: string): readonly EnvVariable[] {
  const { service, instance } = plannedInstance(read.plan, name)
  const subject = { service: service.name, instance }
  const inputs = { layers: read.layers, shell: definedVariables(context.env), flags: {} }
  return environmentFor(read.plan, subject, inputs).variables
}
