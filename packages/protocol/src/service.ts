// What a service looks like to everybody outside the supervisor: the command line, the dashboard, scripts.

/** How a service is run. `auto` is a service of which the configuration does not say: see the design of health. */
export type ServiceType = 'auto' | 'exec' | 'worker' | 'task' | 'container' | 'postgres' | 'redis' | 'site'

/**
 * Where an instance is in its life. `starting` lasts until it is healthy for the first time; `running`
 * says nothing about its health now.
 */
export type ServiceState =
  | 'stopped'
  | 'waiting'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'backoff'
  | 'completed'
  | 'failed'
  | 'scheduled'
  | 'idle'

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy' | 'none'

/** What decides about the health of an instance. */
export type HealthSource = 'http' | 'tcp' | 'command' | 'log' | 'notify' | 'docker' | 'process'

/** How the last run of an instance ended. `code` is null when a signal ended it. */
export interface ServiceExit {
  readonly code: number | null
  /** The signal's name with its SIG prefix, or null when the process exited by itself. */
  readonly signal: string | null
  /** ISO 8601. */
  readonly at: string
  /** One sentence: "exited with code 3", "killed by SIGKILL after 10s", "command not found: foo". */
  readonly reason: string
}

export type DependencyCondition = 'started' | 'healthy' | 'completed'

/** A dependency that an instance in state `waiting` still waits for. */
export interface UnmetDependency {
  readonly service: string
  readonly condition: DependencyCondition
  /** Why it is not met yet, for people: "starting", "unhealthy: no listener on port 5432 after 60s". */
  readonly reason: string
}

/** One instance of a service, as `status --json` prints it. */
export interface ServiceSnapshot {
  readonly name: string
  /** Counts from 1; above 1 only with `replicas`. */
  readonly instance: number
  readonly type: ServiceType
  readonly state: ServiceState
  readonly health: {
    readonly status: HealthStatus
    readonly source: HealthSource | null
    /** The last result of the probe, for people; absent when there is nothing to say. */
    readonly message?: string
  }
  readonly pid: number | null
  /** What it runs in, while it runs as a container. `pid` is then that of its first process, where it can be seen. */
  readonly container?: { readonly id: string; readonly name: string; readonly engine: string }
  /** The port it is reached at; null when it has none. */
  readonly port: number | null
  /** All ports it is known to listen on, `port` first. */
  readonly ports: readonly number[]
  /** The address that it is reached at by its port. Absent: 127.0.0.1. */
  readonly host?: string
  readonly url: string | null
  /** Restarts by the restart policy since it was last ordered to start. */
  readonly restarts: number
  readonly exit: ServiceExit | null
  /** ISO 8601; start of the current run. */
  readonly started_at: string | null
  /** From the start of the run to its first healthy moment. */
  readonly ready_after_ms: number | null
  readonly depends_on: readonly string[]
  readonly warnings: readonly string[]
  /** It waits for somebody to type something on its terminal: the command to do that with. Absent: it does not. */
  readonly input_wanted?: string
  /** Counts the runs of this instance from 1; 0 before the first. The `run` of its log lines. */
  readonly run: number
  /** Unmet dependencies, in state `waiting`. */
  readonly waiting_for: readonly UnmetDependency[]
  /** Why it is in this state (`failed`, `backoff`), or why its last run failed (`scheduled`); else null. */
  readonly reason: string | null
  /** In state `backoff`: when it is started again, ISO 8601; else null. */
  readonly retry_at: string | null
  /** In state `scheduled`: when it runs next, ISO 8601; else absent. */
  readonly next_run_at?: string
}

/** One project, as `status --json` prints it. */
export interface ProjectStatus {
  readonly id: string
  readonly project: string
  /** The directory of its configuration, with links resolved. */
  readonly root: string
  /** The configuration file, with links resolved. */
  readonly file: string
  readonly services: readonly ServiceSnapshot[]
  readonly warnings: readonly string[]
}

/** `status --json` outside of any project. */
export interface AllProjects {
  readonly projects: readonly ProjectStatus[]
}

/** `server status --json`. */
export interface ServerStatus {
  readonly daemon: { readonly pid: number; readonly version: string; readonly started_at: string } | null
  readonly keeper: { readonly pid: number; readonly version: string; readonly started_at: string } | null
  readonly proxy: { readonly http: number; readonly https: number } | null
  /** What is wrong with its own files, such as a journal that was damaged and set aside. Absent: nothing. */
  readonly warnings?: readonly string[]
}

/** `web` for the only instance of a service, `web.2` for one of several. */
export function instanceLabel(service: string, instance: number, replicas: number): string {
  return replicas > 1 ? `${service}.${instance}` : service
}
