// Runs that the keeper has and no journal knows: what is needed to keep them, found by their tags.
import type { ProjectSelector } from '@locald/protocol'
import type { RunInfo } from '../keeper/protocol.ts'
import type { Logger } from '../lib/logger.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import type { Run } from '../supervisor/instance.ts'
import { runOf } from '../supervisor/instance.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import type { AdoptedRun, Adoption } from '../supervisor/take-over.ts'
import type { Catalog } from './catalog.ts'

/** What a run is marked with, for a daemon that knows nothing else of it. */
export interface RunTag {
  /** Project id. */
  readonly project: string
  readonly service: string
  readonly instance: number
  /** Of the service's plan. */
  readonly hash: string
  /** The run's number. */
  readonly number: number
  /** That it was told to listen on. */
  readonly port: number | null
  /** Where its project's configuration is found: its directory, and the file itself. */
  readonly root: string
  readonly file: string
}

export function tagOf(plan: Plan, service: ServicePlan, instance: InstancePlan, run: Run, port: number | null): RunTag {
  const { id: project, root, file } = plan
  return {
    project,
    service: service.name,
    instance: instance.instance,
    hash: run.hash,
    number: run.number,
    port,
    root,
    file,
  }
}

/** What may be adopted: it has not ended, and was not lost with its keeper. */
export type Candidate = AdoptedRun & Pick<RunInfo, 'exited' | 'lost'>

/**
 * Plans the projects of the runs that the state does not know, with the ports that they have. Left out is what has ended, and
 * what no configuration is found for any more.
 */
export async function findAdoptions(
  runs: readonly Candidate[],
  state: SupervisorState,
  catalog: Catalog,
  logger: Logger,
): Promise<readonly Adoption[]> {
  const known = new Set(
    [...state.projects.values()].flatMap((p) => [...p.instances.values()].flatMap((i) => runOf(i)?.id ?? [])),
  )
  const living = new Set(runs.filter((run) => run.exited === null && run.lost === undefined).map(({ run }) => run))
  const found = new Map<string, { readonly tag: RunTag; readonly info: Candidate }[]>()
  for (const info of runs) {
    const tag = parseTag(info.tag)
    if (tag === null || known.has(info.run) || !living.has(info.run) || isTaken(state, tag, living)) continue
    found.set(tag.project, [...(found.get(tag.project) ?? []), { tag, info }])
  }
  const adoptions = [...found.values()].map(async (members): Promise<readonly Adoption[]> => {
    const plan = await planOf(
      members.map(({ tag }) => tag),
      catalog,
      logger,
    )
    if (plan === null) return []
    const adopted = members.map(({ tag, info }) => ({ key: keyOf(tag), number: tag.number, info }))
    return [{ plan, runs: adopted }]
  })
  return (await Promise.all(adoptions)).flat()
}

/** Another run of the same instance is there, and known: two of them cannot be kept. */
function isTaken(state: SupervisorState, tag: RunTag, living: ReadonlySet<string>): boolean {
  const instance = state.projects.get(tag.project)?.instances.get(keyOf(tag))
  const run = instance === undefined ? null : runOf(instance)
  return run !== null && living.has(run.id)
}

async function planOf(tags: readonly RunTag[], catalog: Catalog, logger: Logger): Promise<Plan | null> {
  const [first] = tags
  if (first === undefined) return null
  const keptPorts = new Map(tags.flatMap((tag) => (tag.port === null ? [] : [[keyOf(tag), tag.port] as const])))
  const selectors: readonly ProjectSelector[] = [{ dir: first.root }, { dir: first.root, file: first.file }]
  for (const selector of selectors) {
    try {
      const { plan } = await catalog.plan(selector, () => ({ keptPorts }))
      if (plan.id === first.project) return plan
    } catch (error) {
      logger.log('warn', 'Cannot plan the project of a run that is not in the journal', { ...selector, error })
    }
  }
  return null
}

function keyOf({ service, instance }: RunTag): string {
  return instanceKey(service, instance)
}

/** Null for the tag of a daemon that wrote less into it. */
function parseTag(tag: RunInfo['tag']): RunTag | null {
  const { project, service, instance, hash, number, port, root, file } = tag
  const areTexts = [project, service, hash, root, file].every((value) => typeof value === 'string')
  const areNumbers = [instance, number, port ?? 0].every((value) => typeof value === 'number')
  return areTexts && areNumbers ? (tag as unknown as RunTag) : null
}
