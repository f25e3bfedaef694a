// The projects that can be found on disk, whether they run or not: from a selector to a configuration and a plan.
import { LocaldError } from '@locald/protocol'
import type { ProjectSelector } from '@locald/protocol'
import { discover } from '../config/discover.ts'
import type { FoundConfig } from '../config/discover.ts'
import { loadConfig } from '../config/load-config.ts'
import { readPlan } from '../plan/read-plan.ts'
import type { ReadPlan, ReadPlanInputs } from '../plan/read-plan.ts'

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

  /** Reads and plans it. Throws everything that is wrong with it. */
  async plan(selector: ProjectSelector, inputs: ReadPlanInputs): Promise<ReadPlan> {
    const userConfigFile = this.#options.userConfigFile
    return await readPlan(await loadConfig({ ...this.#where(selector), userConfigFile }), inputs)
  }

  #where({ dir, file }: ProjectSelector): { readonly dir: string; readonly home: string; readonly file?: string } {
    if (dir === undefined && file === undefined) {
      throw new LocaldError('request_invalid', 'Cannot tell which project is meant: neither dir nor file is given')
    }
    return { dir: dir ?? '/', home: this.#options.home, ...(file === undefined ? {} : { file }) }
  }
}
