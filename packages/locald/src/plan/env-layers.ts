// The env files of a project as they were read: an input of planning, which reads no files itself.
import type { ParsedEnvFile } from '../config/env-file.ts'

export interface EnvLayers {
  /** `.env`, then `.env.local`, of the project's root; those that exist. */
  readonly dotenv: readonly ParsedEnvFile[]
  /** The files of a service's `env_file`, in its order, by service name. */
  readonly serviceFiles: ReadonlyMap<string, readonly ParsedEnvFile[]>
}

export const noEnvLayers: EnvLayers = { dotenv: [], serviceFiles: new Map() }
