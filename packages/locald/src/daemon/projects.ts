// Which project is meant, and what is planned of it: of one that runs, else of one that is only configured.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { instanceLabel, LocaldError } from '@locald/protocol'
import type { ProjectSelector, ProjectStatus } from '@locald/protocol'
import type { LogSource } from '../logs/log-reader.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan } from '../plan/plan.ts'
import { isActive, newInstance } from '../supervisor/instance.ts'
import { snapshotOf } from '../supervisor/snapshot.ts'
import type { ProjectRecord } from '../supervisor/state.ts'
import type { DaemonParts } from './daemon-parts.ts'

export class Projects {
  readonly #parts: Pick<DaemonParts, 'supervisor' | 'catalog' | 'installation' | 'logTroubles'>

  constructor(parts: DaemonParts) {
    this.#parts = parts
  }

  /** What was up once; undefined: nothing of it ever was. */
  recordOf(id: string): ProjectRecord | undefined {
    return this.#parts.supervisor.state.projects.get(id)
  }

  /** Id of the project that is meant, also of one that runs on without its file; null when there is none. */
  async find(selector: ProjectSelector): Promise<string | null> {
    if (selector.dir === undefined && selector.file === undefined) return null
    try {
      const found = await this.#parts.catalog.find(selector)
      const left = this.#leftAt(selector)
      return left !== null && isInside(left.root, found.root) ? left.id : found.id
    } catch (error) {
      if (!(error instanceof LocaldError) || error.code !== 'config_not_found') throw error
      const left = this.#leftAt(selector)
      if (left === null && selector.file !== undefined) throw error
      return left?.id ?? null
    }
  }

  /** The plan of the innermost project around a directory, or by a file, of which something runs while its file is gone. */
  #leftAt({ dir, file }: ProjectSelector): Plan | null {
    const plans = [...this.#parts.supervisor.state.projects.values()]
      .filter(({ planned: { plan }, instances }) => !existsSync(plan.file) && [...instances.values()].some(isActive))
      .map(({ planned }) => planned.plan)
      .filter((plan) =>
        file === undefined ? dir === plan.root || isInside(dir ?? '/', plan.root) : plan.file === file,
      )
    return plans.toSorted((one, other) => other.root.length - one.root.length)[0] ?? null
  }

  /** What runs, else what is configured. */
  async planOf(selector: ProjectSelector): Promise<Plan> {
    const id = await this.find(selector)
    const record = id === null ? undefined : this.recordOf(id)
    if (record !== undefined) return record.planned.plan
    return (await this.#parts.catalog.plan(selector, () => ({}))).plan
  }

  /** As shown, whether it runs or not. */
  statusOf(plan: Plan): ProjectStatus {
    return this.recordOf(plan.id) === undefined ? statusOfPlan(plan, []) : this.#parts.supervisor.status(plan.id)
  }

  /** Where the output of an instance is recorded. */
  logSource(plan: Plan, { service, instance }: Pick<InstancePlan, 'service' | 'instance'>): LogSource {
    const stream = `${plan.id}/${instanceKey(service, instance)}`
    const directory = join(this.#parts.installation.logs, stream)
    const unwritten = this.#parts.logTroubles.unwrittenOf(stream)
    return { label: labelIn(plan, service, instance), stream, directory, unwritten }
  }
}

function isInside(path: string, root: string): boolean {
  return path.startsWith(root.endsWith('/') ? root : `${root}/`)
}

/** Of a project of which nothing ever was up. */
export function statusOfPlan(plan: Plan, warnings: readonly string[]): ProjectStatus {
  const services = plan.config.services.flatMap(({ name }) => plan.services.filter((s) => s.name === name))
  return {
    id: plan.id,
    project: plan.name,
    root: plan.root,
    file: plan.file,
    services: services.flatMap((s) => s.instances.map((i) => snapshotOf(s, i, newInstance))),
    warnings,
  }
}

/** `web`, or `web.2` where there are several. */
export function labelIn(plan: Plan, name: string, instance: number): string {
  const service = plan.services.find((s) => s.name === name)
  return instanceLabel(name, instance, service?.config.replicas ?? 1)
}
