// The projects that locald knows, and which of them come back after the machine was started anew.
import type { ProjectSelector } from './api.ts'

/** A project that was up once, or was pinned. */
export interface RegistryEntry {
  /** Project id. */
  readonly id: string
  readonly project: string
  readonly root: string
  readonly file: string
  /** Comes back after the machine was started anew, if it was up before. */
  readonly pinned: boolean
  /** Something of it runs, or will by itself. */
  readonly running: boolean
  /** Its configuration file is gone. */
  readonly missing: boolean
  /** When it was last brought up, ISO 8601; null: never. */
  readonly up_at: string | null
}

/** `registry list --json`; of `registry clean --json` those that were removed. */
export interface RegistryList {
  readonly projects: readonly RegistryEntry[]
}

/** POST /v1/registry/pin: a project by its name or id, or where its configuration is. Answered with its entry. */
export interface PinRequest extends ProjectSelector {
  readonly project?: string
  readonly pinned: boolean
}
