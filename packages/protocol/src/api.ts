// Requests and answers of the HTTP API (version 1), as plain types: the command line reads answers without a parser.
import type { OrderKind } from './events.ts'
import type { HealthSource, ProjectStatus, ServiceSnapshot, ServiceState } from './service.ts'

/** Prefix of every path of this version of the API. */
export const apiPrefix = '/v1'

/**
 * Which project a request is about. `dir` is where to look for a configuration, upwards (the caller's working
 * directory); `file` names one outright. With neither, a request is about all projects.
 */
export interface ProjectSelector {
  readonly dir?: string
  readonly file?: string
}

/** POST /v1/orders: start, stop or restart services. Answered at once; what comes of it arrives as events. */
export interface OrderRequest extends ProjectSelector {
  readonly kind: OrderKind
  /** Chosen by the client and unguessable; the same order sent twice (the daemon was replaced meanwhile) is one order. */
  readonly order: string
  /** Services by name (`web`) or instance (`web.2`); empty: all. */
  readonly services: readonly string[]
  /** up, start: the client's environment, which services inherit. */
  readonly shell_env?: Readonly<Record<string, string>>
  /** up, start: `--env KEY=VALUE`. */
  readonly env?: Readonly<Record<string, string>>
  /** up: fail the order when not everything is healthy by then. */
  readonly timeout_ms?: number
  /** start: apply the restart policy instead of stopping everything at the first exit. */
  readonly restart?: boolean
  /** stop: SIGKILL at once. */
  readonly now?: boolean
}

/** Answer of POST /v1/orders. Events after `seq` tell the rest; the last one of the order is `order.ended`. */
export interface OrderAnswer {
  readonly order: string
  readonly seq: number
  readonly status: ProjectStatus
}

/** One line of `logs --json`. */
export interface LogLine {
  /** ISO 8601 with milliseconds. */
  readonly at: string
  /** The service's label: `web`, or `web.2` with replicas. */
  readonly service: string
  /** `stdout` and `stderr` of a service with pipes, `pty` of one with a terminal, `locald` for what happened to it. */
  readonly stream: 'stdout' | 'stderr' | 'pty' | 'locald'
  readonly run: number
  readonly text: string
  /** Where to go on reading, for every service of this answer; on the last line of a batch. */
  readonly cursor?: string
}

/** A process of a service, or its container. */
export interface ServiceProcess {
  /** Of a container its first process; null where that is on another machine. */
  readonly pid: number | null
  /** Of a container "container" and its name. */
  readonly command: string
  /** Id of the container, if it is one. */
  readonly container?: string
}

/** The living processes of one instance that has any, in GET /v1/processes. */
export interface ServiceProcesses {
  /** The instance's label; where all projects are asked for, after the project's name, with its directory where two
   * have the same name. */
  readonly service: string
  readonly state: ServiceState
  /** Since when it has been ending, ISO 8601; null when it is not. */
  readonly stopping_since: string | null
  readonly processes: readonly ServiceProcess[]
}

/** Characters of a terminal. */
export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

/**
 * One line of GET /v1/attach: the terminal of an instance as it goes on. `cursor` is where to go on from when the connection
 * breaks after this line. Follows the instance over restarts; ends after `ended`.
 */
export type AttachMessage = { readonly cursor: string } &
  /** The first line. `data`: what to show first, base64; empty when it goes on from a cursor. */
  (
    | {
        readonly type: 'attached'
        readonly service: string
        readonly run: number
        readonly tty: boolean
        readonly data: string
      }
    /** Bytes as they were written, base64. */
    | { readonly type: 'output'; readonly run: number; readonly data: string }
    | { readonly type: 'started' | 'exited'; readonly run: number; readonly text: string }
    /** So many bytes of output cannot be read any more. */
    | { readonly type: 'missing'; readonly bytes: number }
    /** The instance is down and stays so by itself. */
    | { readonly type: 'ended'; readonly state: ServiceState; readonly reason: string | null }
  )

/** POST /v1/attach/input: what somebody types. */
export interface AttachInput extends ProjectSelector {
  /** The instance's label. */
  readonly service: string
  /** Chosen by the client and unguessable, the same for as long as it is attached. */
  readonly client: string
  /** Grows with each request of this client: what is sent twice is typed once. */
  readonly seq: number
  /** The run that the client sees; what was meant for one that is over is not given to the next. */
  readonly run: number
  /** base64; empty when only the size has changed. */
  readonly data: string
  /** Of the client's terminal; null when it has none. */
  readonly size: TerminalSize | null
  /** An answer of the client's terminal, which nobody typed. */
  readonly reply?: boolean
  /** It was sent before, and the connection broke before the answer. */
  readonly again?: boolean
}

/** False when the service cannot take it now, or the run is over. */
export interface AttachInputAnswer {
  readonly taken: boolean
}

/** One variable of `env SERVICE --json`. */
export interface EnvVariable {
  readonly name: string
  readonly value: string
  /** Which level it comes from. */
  readonly source: EnvSource
  /** The file that sets it, when a file does. */
  readonly file: string | null
  readonly line: number | null
}

/** GET /v1/env. */
export interface EnvAnswer {
  readonly service: string
  readonly variables: readonly EnvVariable[]
  /**
   * The ports of each service of the project as this one finds it, one for each instance: what its references stand for.
   * Absent: not known.
   */
  readonly ports?: Readonly<Record<string, readonly number[]>>
}

export type EnvSource = 'shell' | 'sibling' | 'dotenv' | 'project' | 'env_file' | 'service' | 'locald' | 'flag'

/** One row of `ports --json`. */
export interface PortRow {
  readonly project: string
  readonly service: string
  readonly instance: number
  readonly port: number
  /** `fixed` by the configuration, `assigned` by locald, `discovered` as a listener of the service. */
  readonly kind: 'fixed' | 'assigned' | 'discovered'
  /** Whether a process of the service listens there now. */
  readonly listening: boolean
  /** Who listens there instead, when somebody else does. */
  readonly holder: PortHolder | null
}

/** Who listens on a port; `pid` and `command` are null where the system does not let us see them. */
export interface PortHolder {
  readonly pid: number | null
  readonly command: string | null
  readonly user: string | null
}

/** One row of GET /v1/aliases: a host name of something that locald does not run. */
export interface AliasEntry {
  readonly host: string
  /** On this machine. */
  readonly port: number
  /** Null where there is no proxy, a project has the name, or this machine does not know it. */
  readonly url: string | null
  /** Of the project that has the name, and goes first. */
  readonly project: string | null
}

/** One row of GET /v1/names: a host name in use. */
export interface NameEntry {
  /** `*.…`: every name with one label more. */
  readonly host: string
  /** The project's name; null for an alias, as are its id and root. */
  readonly project: string | null
  readonly project_id: string | null
  readonly root: string | null
  /** Who answers there at "/"; null: only what has a route does. */
  readonly service: string | null
  /** Null for a wildcard, and where there is no proxy. */
  readonly url: string | null
  /** Whether this machine knows that the name leads here; if not, `locald admin sync-hosts` tells it. */
  readonly leads_here: boolean
}

/** `url SERVICE --json`. */
export interface UrlAnswer {
  /** The address by name if one works right now, else the direct one; null: it cannot be reached. */
  readonly url: string | null
  /** Without the proxy; null: it has no port. */
  readonly direct: string | null
  /** File with the certificates of the authorities of locald, for clients that ask for one; null: there are none. */
  readonly ca: string | null
}

/** What one instance has said over its notify socket in its current or last run. */
export interface NotifyReport {
  readonly instance: number
  /** It sent READY=1. */
  readonly ready: boolean
  readonly status: string | null
  readonly phase: 'reloading' | 'stopping' | null
  readonly errno: number | null
  readonly main_pid: number | null
  /** Null when it need not give signs of life. */
  readonly watchdog: { readonly interval_ms: number; readonly missed: boolean } | null
  /** How many messages did not count. */
  readonly refused: number
  /** The latest, oldest first. */
  readonly messages: readonly {
    /** ISO 8601. */
    readonly at: string
    readonly text: string
    /** 0 where it is not known. */
    readonly pid: number
    readonly uid: number
    readonly command: string | null
    readonly accepted: boolean
    readonly verdict: 'member' | 'exited' | 'unverified' | 'outside' | 'unknown-user' | 'malformed' | 'oversized'
    /** The verdict in words. */
    readonly reason: string
    /** How many refused messages it stands for. */
    readonly count: number
  }[]
}

/** `why SERVICE --json`. */
export interface WhyAnswer {
  readonly service: string
  readonly snapshots: readonly ServiceSnapshot[]
  /** The conclusion in a sentence. */
  readonly summary: string
  /** The line that tells most of it, of those that the cause of it all or its check wrote; absent when none does. */
  readonly evidence?: { readonly service: string; readonly text: string }
  /** From this service down to the one that everything waits for. */
  readonly chain: readonly { readonly service: string; readonly state: string; readonly reason: string }[]
  readonly probe: {
    readonly source: HealthSource | null
    readonly description: string
    readonly last_result: string | null
    readonly last_output: string | null
    readonly at: string | null
  } | null
  /** What its instances have said over their notify sockets, refused messages too. Of those that said nothing, none. */
  readonly notify?: readonly NotifyReport[]
  readonly ports: readonly PortRow[]
  readonly last_lines: readonly LogLine[]
  /** What to do, one step each. */
  readonly advice: readonly string[]
}
