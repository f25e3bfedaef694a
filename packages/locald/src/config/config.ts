// What a configuration file says, whatever its format, with every default of the file itself filled in.
import type { DependencyCondition, Diagnostic, ServiceType } from '@locald/protocol'

export type ConfigFormat = 'toml' | 'procfile' | 'compose' | 'package.json'

/** A place in a file, counted from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A value with the place it was written at. */
export interface Placed<T> {
  readonly value: T
  readonly place: Place
}

/** One variable of a table in the configuration, or of an env file; `value` still holds its references. */
export interface EnvEntry {
  readonly name: string
  readonly value: string
  readonly place: Place
}

export interface DependencyConfig {
  readonly service: string
  readonly condition: DependencyCondition
  /** Restart the dependent when this dependency restarts. Default false. */
  readonly restartWith: boolean
  readonly place: Place
}

interface ProbeTiming {
  /** Between two checks once healthy. Default 10 s. */
  readonly intervalMs: number
  /** For one check. Default 1 s (command: 5 s). */
  readonly timeoutMs: number
  /** Failures in a row that make a healthy service unhealthy. Default 3. */
  readonly retries: number
  /** After the start, in which failures do not count. Default 0. */
  readonly startPeriodMs: number
}

export interface HttpCheck extends ProbeTiming {
  readonly type: 'http'
  readonly method: string
  readonly path: string
  /** Default: the service's own port. */
  readonly port?: number
  /** Statuses that are healthy, as ranges, both ends included. Default 200 to 399. */
  readonly status: readonly (readonly [number, number])[]
  readonly headers: Readonly<Record<string, string>>
}
export interface TcpCheck extends ProbeTiming {
  readonly type: 'tcp'
  readonly port?: number
  /** Whose listener counts: one of the service's own processes (default), or anybody's. */
  readonly owner: 'tree' | 'any'
}
export interface CommandCheck extends ProbeTiming {
  readonly type: 'command'
  readonly command: Command
}
export interface LogCheck extends ProbeTiming {
  readonly type: 'log'
  /** A regular expression (JavaScript, flag `u`); a line that matches makes it healthy, for good. */
  readonly pattern: string
}
export interface NotifyCheck extends ProbeTiming {
  readonly type: 'notify'
}
export type HealthCheck = HttpCheck | TcpCheck | CommandCheck | LogCheck | NotifyCheck

/** A string is run by `/bin/sh -c`; a list is a program and its arguments, without a shell. */
export type Command = string | readonly string[]

export type RestartPolicy = 'always' | 'on-failure' | 'never'
export type StopScope = 'group' | 'leader'
export type PortDiscovery = 'auto' | 'scan' | 'off'

/**
 * Whether it has to listen on a port. `must`: it is healthy only then. `may`: it gets a port, and is healthy at its first
 * listener or after a second of running. `never`: no port, no tcp probe.
 */
export type Listening = 'must' | 'may' | 'never'

export interface ServiceConfig {
  readonly name: string
  /** As written; `auto` when the file does not say it and nothing else decides. */
  readonly type: ServiceType
  readonly listening: Listening
  /** Absent only for types that need none. */
  readonly command?: Command
  /** Absolute. Default: the project's root. */
  readonly workdir: string
  /** A number is fixed; `undefined` assigns one; `false` gives none. */
  readonly port?: number | false
  readonly portDiscovery: PortDiscovery
  readonly env: readonly EnvEntry[]
  /** Absolute paths, with their places in the configuration. */
  readonly envFiles: readonly Placed<string>[]
  readonly dependsOn: readonly DependencyConfig[]
  readonly healthCheck?: HealthCheck
  readonly onUnhealthy: 'ignore' | 'restart'
  /** Until it counts as unhealthy when it has never been healthy. Default 60 s; null (the default of a task): never. */
  readonly startTimeoutMs: number | null
  /** Default `on-failure`; of a task `never`. */
  readonly restart: RestartPolicy
  /** With its SIG prefix. Default SIGTERM. */
  readonly stopSignal: NodeJS.Signals
  /** From the stop signal to SIGKILL. Default 10 s; null: never. */
  readonly stopTimeoutMs: number | null
  readonly stopScope: StopScope
  readonly watch: readonly string[]
  readonly tty: boolean
  readonly replicas: number
  readonly start: 'up' | 'on-request'
  readonly idleTimeoutMs?: number
  readonly watchdogMs?: number
  readonly schedule?: string
  readonly domains: readonly string[]
  /** What a container, managed or static service needs besides; checked here, used by its own part. */
  readonly container?: ContainerConfig
  readonly site?: { readonly path: string; readonly build?: string }
  readonly place: Place
  /** Of values that planning may find fault with, by their path: `command`, `command.0`, `health_check.path`, `port`. */
  readonly places?: Readonly<Record<string, Place>>
}

export interface ContainerConfig {
  readonly image: string
  readonly ports: readonly number[]
  readonly volumes: readonly string[]
  readonly entrypoint?: Command
  readonly user?: string
  /** Inside the container. Default: the image's. */
  readonly workdir?: string
  /** With its SIG prefix. Default: the image's, else SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
}

export interface RouteConfig {
  readonly prefix: string
  readonly service: string
  readonly stripPrefix: boolean
  readonly place: Place
}

export interface LogsConfig {
  /** Bytes of one segment. Default 10 MB. */
  readonly segmentBytes: number
  /** Segments kept for each service. Default 5. */
  readonly segments: number
  /** Bytes kept for all services of the user. Default 1 GB. */
  readonly totalBytes: number
}

export interface Config {
  /** Real path of the file. */
  readonly file: string
  readonly format: ConfigFormat
  /** Real path of the directory that holds the file. */
  readonly root: string
  /** Hash of the real path of the root (with `-f`, of the file): the key of everything kept for this project. */
  readonly id: string
  readonly name: string
  /** In lower case, as written: without the label of a worktree. Default: the name, below `localhost`. */
  readonly domain: string
  /** Further ones, with the same names below each. */
  readonly domains: readonly string[]
  /** In a linked git worktree: what comes first in every host name, and the branch that it is for. See `GitWorktree`. */
  readonly worktree?: { readonly label: string; readonly longLabel: string; readonly branch: string | null }
  readonly env: readonly EnvEntry[]
  /** In the order of the file. */
  readonly services: readonly ServiceConfig[]
  readonly routes: readonly RouteConfig[]
  readonly logs: LogsConfig
}

/** A configuration, or why there is none. Warnings may come with either. */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly diagnostics: readonly Diagnostic[] }
  | {
      readonly ok: false
      readonly diagnostics: readonly Diagnostic[]
      /** Absent when part of a file could not be read at all: whatever seems to be missing may stand there. */
      readonly sound?: SoundPart
    }

/** What a faulty configuration still says: not to be run, only to find what else is wrong with it. */
export interface SoundPart {
  /** Faulty values are left out of it. */
  readonly config: Config
  /** Services of which it is not certain whether they have a port; some are not even in `config`. */
  readonly unclear: ReadonlySet<string>
}
