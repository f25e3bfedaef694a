// What is going to run: the configuration with its order, ports and dependencies decided. Plain data, kept in the journal.
import type { EnvVariable } from '@locald/protocol'
import type { Config, ServiceConfig } from '../config/config.ts'

/** One process to run. */
export interface InstancePlan {
  readonly service: string
  /** Counts from 1. */
  readonly instance: number
  /** Assigned or fixed; null when the service gets none. */
  readonly port: number | null
  /** The address that it was found listening on. Absent: 127.0.0.1, as far as is known. */
  readonly host?: string
  /** Of a container that publishes several ports: those for the further ones, in their order. */
  readonly morePorts?: readonly number[]
}

export interface DependencyPlan {
  readonly service: string
  readonly condition: 'started' | 'healthy' | 'completed'
  readonly restartWith: boolean
  /** True when it was inferred from a reference such as `${services.db.port}` or from `release:`. */
  readonly implicit: boolean
}

export interface ServicePlan {
  readonly name: string
  readonly config: ServiceConfig
  readonly dependsOn: readonly DependencyPlan[]
  readonly instances: readonly InstancePlan[]
  /**
   * Hash of everything that makes a running instance out of date when it changes: command, directory, own variables, env
   * files, port, terminal. Not of health, dependency, restart and stop settings, nor of the shell's environment.
   */
  readonly hash: string
}

/** One host name, and who answers below which path. */
export interface HostPlan {
  /** In lower case; `*.…` stands for every name with one label more. */
  readonly host: string
  /** The longest prefix first; "/" last, if anybody answers there. */
  readonly rules: readonly RulePlan[]
}

export interface RulePlan {
  /** Begins with a slash and, but for "/", ends in none. */
  readonly prefix: string
  readonly service: string
  readonly stripPrefix: boolean
}

export interface Plan {
  readonly id: string
  readonly name: string
  readonly root: string
  readonly file: string
  /** Its host names, whether they are held by another project or not. */
  readonly hosts: readonly HostPlan[]
  /** Each after everything it depends on; otherwise in the order of the file. */
  readonly services: readonly ServicePlan[]
  readonly config: Config
}

/** The environment of one instance: the winning variable of each name, sorted by name. */
export type Environment = readonly EnvVariable[]

/** What differs between the plan that runs and a new one, by service name. */
export interface PlanDifference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Their hash differs: a running instance must be restarted. */
  readonly changed: readonly string[]
  /** Something else differs: taken over without a restart. */
  readonly updated: readonly string[]
}
