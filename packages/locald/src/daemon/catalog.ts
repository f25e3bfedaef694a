// The projects that can be found on disk, whether they run or not: from a selector to a configuration and a plan.
import { LocaldError } from '@locald/protocol'
import type { Diagnostic, ProjectSelector } from '@locald/protocol'
import type { Config } from '../config/config.ts'
import { discover } from '../config/discover.ts'
import type { FoundConfig } from '../config/discover.ts'
import { loadConfig } from '../config/load-config.ts'
import type { PlanInputs } from '../plan/plan-for.ts'
import { readPlan } from '../plan/read-plan.ts'
import type { ReadPlan } from '../plan/read-plan.ts'
import type { EnvLayers } from '../plan/env-layers.ts'

export interface CatalogOptions {
  readonly home: string
  readonly userConfigFile: string
}

export class Catalog {
  readonly #options: CatalogOptions

  constructor(options: CatalogOptions) {
    this.#options = options
  }

  /** Looks only for the file. Throws `config_not_found` and `config_refused`. */
  async find(selector: ProjectSelector): Promise<FoundConfig> {
    return await discover(this.#where(selector))
  }

  /** Reads it, with its warnings. Throws `config_invalid` with everything that is wrong with it. */
  async load(
    selector: ProjectSelector,
  ): Promise<{ readonly config: Config; readonly warnings: readonly Diagnostic[] }> {
    const result = await loadConfig({ ...this.#where(selector), userConfigFile: this.#options.userConfigFile })
    if (result.ok) return { config: result.config, warnings: result.diagnostics }
    const errors = result.diagnostics.filter((d) => d.severity === 'error')
    const file = errors[0]?.file ?? selector.file ?? selector.dir
    throw new LocaldError('config_invalid', `Cannot use "${file}"`, {
      diagnostics: result.diagnostics,
    })
  }

  /** Reads and plans it. */
  async plan(
    selector: ProjectSelector,
    inputs: (config: Config, layers: EnvLayers) => Omit<PlanInputs, 'layers'>,
  ): Promise<ReadPlan> {
    const { config, warnings } = await this.load(selector)
    const read = await readPlan(config, (layers) => inputs(config, layers))
    return { ...read, warnings: [...warnings, ...read.warnings] }
  }

  #where({ dir, file }: ProjectSelector): { readonly dir: string; readonly home: string; readonly file?: string } {
    if (dir === undefined && file === undefined) {
      throw new LocaldError('request_invalid', 'Cannot tell which project is meant: neither dir nor file is given')
    }
    return { dir: dir ?? '/', home: this.#options.home, ...(file === undefined ? {} : { file }) }
  }
}
