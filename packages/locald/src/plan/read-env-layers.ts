// Reads the env files of a project.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { Config, ServiceConfig } from '../config/config.ts'
import { readEnvFile } from '../config/env-file.ts'
import type { ParsedEnvFile } from '../config/env-file.ts'
import type { EnvLayers } from './env-layers.ts'

/** What the env files of a project say, and which of them cannot be read. */
interface EnvReading {
  readonly layers: EnvLayers
  readonly faults: readonly EnvFault[]
}

export interface EnvFault {
  readonly file: string
  /** `env_file_unreadable`, or `config_refused`. */
  readonly error: LocaldError
  /** The configuration names it, and it does not exist. */
  readonly isMissing: boolean
}

/**
 * Reads the shared env files, and those that the configuration refers to for these services (default: all). Throws
 * `env_file_unreadable`, also for an `env_file` that is missing, and `config_refused` for another user's.
 */
export async function readEnvLayers(
  config: Config,
  services: readonly Pick<ServiceConfig, 'name' | 'envFiles'>[] = config.services,
): Promise<EnvLayers> {
  const { layers, faults } = await tryEnvLayers(config, services)
  const [fault] = faults
  if (fault !== undefined) throw fault.error
  return layers
}

/** As `readEnvLayers`, going on after a file that cannot be read. */
export async function tryEnvLayers(
  config: Config,
  services: readonly Pick<ServiceConfig, 'name' | 'envFiles'>[],
): Promise<EnvReading> {
  const faults: EnvFault[] = []
  const attempt = async (file: string, read: () => Promise<ParsedEnvFile | undefined>, user?: string) => {
    try {
      const parsed = await read()
      if (parsed === undefined && user !== undefined) faults.push({ file, error: missing(file, user), isMissing: true })
      return parsed
    } catch (error) {
      if (!(error instanceof LocaldError)) throw error
      faults.push({ file, error, isMissing: false })
      return undefined
    }
  }
  const shared = ['.env', '.env.local'].map(async (name) => {
    const path = join(config.root, name)
    return await attempt(path, async () => await readShared(path))
  })
  const own = services.map(async ({ name, envFiles }): Promise<readonly [string, readonly ParsedEnvFile[]]> => {
    const files = envFiles.map(async ({ value }) => await attempt(value, async () => await readEnvFile(value), name))
    return [name, (await Promise.all(files)).filter((file) => file !== undefined)]
  })
  const dotenv = (await Promise.all(shared)).filter((file) => file !== undefined)
  return { layers: { dotenv, serviceFiles: new Map(await Promise.all(own)) }, faults }
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

function missing(path: string, service: string): LocaldError {
  return new LocaldError(
    'env_file_unreadable',
    `Cannot read the env file "${path}" of "${service}": there is no such file`,
    {
      hint: 'Create it, or take it out of env_file',
    },
  )
}
