// The projects that locald knows: those that were up once or are pinned.
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { PinRequest, RegistryEntry, RegistryList } from '@locald/protocol'
import type { RegistryControl } from '../api/registry-routes.ts'
import type { Installation } from '../lib/installation.ts'
import { isActive } from '../supervisor/instance.ts'
import type { ProjectRecord } from '../supervisor/state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Catalog } from './catalog.ts'
import type { Shells } from './shells.ts'

export interface RegistryParts {
  readonly supervisor: Supervisor
  readonly catalog: Catalog
  readonly shells: Shells
  readonly installation: Installation
}

export class Registry implements RegistryControl {
  readonly #parts: RegistryParts

  constructor(parts: RegistryParts) {
    this.#parts = parts
  }

  list(): RegistryList {
    const { projects } = this.#parts.supervisor.state
    const entries = [...projects].map(([id, record]) => entryOf(id, record))
    return { projects: entries.sort((a, b) => a.project.localeCompare(b.project) || a.root.localeCompare(b.root)) }
  }

  async pin(request: PinRequest): Promise<RegistryEntry> {
    const { supervisor, catalog } = this.#parts
    const id = request.project === undefined ? (await catalog.find(request)).id : this.#idOf(request.project)
    if (!supervisor.state.projects.has(id)) {
      // Known from now on, without anything of it being up.
      const { plan } = await catalog.plan(request, () => ({}))
      supervisor.register(plan)
    }
    supervisor.pin(id, request.pinned)
    const record = supervisor.state.projects.get(id)
    if (record === undefined) throw new Error(`Project ${id} vanished while it was pinned`)
    return entryOf(id, record)
  }

  /** Forgets projects whose configuration file is gone, with their logs. What runs or is pinned stays. */
  async clean(): Promise<RegistryList> {
    return await this.#forget(this.list().projects.filter(({ missing }) => missing))
  }

  async forget(id: string): Promise<RegistryList> {
    return await this.#forget(this.list().projects.filter((entry) => entry.id === id))
  }

  async #forget(candidates: readonly RegistryEntry[]): Promise<RegistryList> {
    const { supervisor, shells, installation } = this.#parts
    const gone = candidates.filter(({ id, pinned }) => !pinned && supervisor.forget(id))
    for (const { id } of gone) {
      shells.forget(id)
      await rm(join(installation.logs, id), { recursive: true, force: true })
    }
    return { projects: gone }
  }

  #idOf(project: string): string {
    const found = this.list().projects.filter(({ id, project: name }) => id === project || name === project)
    const [only] = found
    if (only !== undefined && found.length === 1) return only.id
    if (only === undefined) {
      throw new LocaldError('project_unknown', `There is no project "${project}"`, {
        hint: 'See which there are: locald registry list',
      })
    }
    const places = found.map(({ id, root }) => `${id} (${root})`).join(', ')
    throw new LocaldError('usage', `Cannot tell which project "${project}" is meant: ${places}`, {
      hint: 'Name it by its id',
    })
  }
}

function entryOf(id: string, { planned, pinned, instances }: ProjectRecord): RegistryEntry {
  const { name: project, root, file } = planned.plan
  return {
    id,
    project,
    root,
    file,
    pinned,
    running: [...instances.values()].some(isActive),
    missing: !existsSync(file),
    up_at: planned.upAt === undefined ? null : new Date(planned.upAt).toISOString(),
  }
}
