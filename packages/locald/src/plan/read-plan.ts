// From a configuration file to a plan: the one part of this folder that reads files.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { Diagnostic } from '@locald/protocol'
import type { Config, ServiceConfig } from '../config/config.ts'
import { readEnvFile } from '../config/env-file.ts'
import type { ParsedEnvFile } from '../config/env-file.ts'
import type { EnvLayers } from './env-layers.ts'
import { planFor } from './plan-for.ts'
import type { PlanInputs } from './plan-for.ts'
import type { Plan } from './plan.ts'

/**
 * Reads the shared env files, and those that the configuration refers to for these services (default: all). Throws
 * `env_file_unreadable`, also for an `env_file` that is missing.
 */
export async function readEnvLayers(
  config: Config,
  services: readonly Pick<ServiceConfig, 'name' | 'envFiles'>[] = config.services,
): Promise<EnvLayers> {
  const shared = await Promise.all(['.env', '.env.local'].map((name) => readShared(join(config.root, name))))
  const own = services.map(async (service): Promise<readonly [string, readonly ParsedEnvFile[]]> => {
    const files = service.envFiles.map(async ({ value }) => (await readEnvFile(value)) ?? missing(value, service.name))
    return [service.name, await Promise.all(files)]
  })
  return { dotenv: shared.filter((file) => file !== undefined), serviceFiles: new Map(await Promise.all(own)) }
}

/**
 * A directory of that name, as Python's `venv` makes one for many, is somebody else's. That there is no file is found out at
 * once: every start asks, and one that had to wait for a thread would be later by that.
 */
async function readShared(path: string): Promise<ParsedEnvFile | undefined> {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined || found.isDirectory()) return undefined
  } catch {
    // Whatever else is the matter is said when it is read.
  }
  return await readEnvFile(path)
}

function missing(path: string, service: string): never {
  throw new LocaldError(
    'env_file_unreadable',
    `Cannot read the env file "${path}" of "${service}": there is no such file`,
    {
      hint: 'Create it, or take it out of env_file',
    },
  )
}

export interface ReadPlan {
  readonly plan: Plan
  readonly layers: EnvLayers
  readonly warnings: readonly Diagnostic[]
}

/** Plans what is configured with what the env files say now. Throws what is wrong with either. */
export async function readPlan(
  config: Config,
  inputs: (layers: EnvLayers) => Omit<PlanInputs, 'layers'>,
): Promise<ReadPlan> {
  const layers = await readEnvLayers(config)
  const result = planFor(config, { ...inputs(layers), layers })
  if (!result.ok) {
    throw new LocaldError(result.code, `Cannot plan "${config.file}"`, { diagnostics: result.diagnostics })
  }
  const files = [...layers.dotenv, ...[...layers.serviceFiles.values()].flat()]
  return { plan: result.plan, layers, warnings: [...files.flatMap((f) => f.diagnostics), ...result.diagnostics] }
}
