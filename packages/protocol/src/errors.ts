// Every error that a user can meet, with what the API and the command line make of it.

/** Exit codes of the command line. */
export const exitCodes = {
  ok: 0,
  /** Something failed, is unhealthy, timed out, or was left over. */
  failed: 1,
  /** Wrong usage or configuration; nothing was touched. */
  usage: 2,
  /** The daemon cannot be reached or started. */
  unreachable: 3,
  /** No such project or service. */
  unknown: 4,
  /** `run` and `try`: locald itself failed, not the command. Not for a wrong command line, which is `usage`. */
  runFailed: 125,
} as const

interface ErrorKind {
  /** HTTP status in the API. */
  readonly status: number
  /** Exit code of a command that meets it. */
  readonly exit: number
}

/** The registry: callers compare codes, never messages. Documented in docs/errors.md. */
export const errorKinds = {
  config_invalid: { status: 422, exit: exitCodes.usage },
  config_not_found: { status: 404, exit: exitCodes.usage },
  config_refused: { status: 403, exit: exitCodes.usage },
  config_exists: { status: 409, exit: exitCodes.usage },
  usage: { status: 400, exit: exitCodes.usage },
  request_invalid: { status: 400, exit: exitCodes.usage },
  type_unsupported: { status: 422, exit: exitCodes.usage },
  port_taken: { status: 409, exit: exitCodes.failed },
  port_exhausted: { status: 409, exit: exitCodes.failed },
  env_file_unreadable: { status: 422, exit: exitCodes.usage },
  project_unknown: { status: 404, exit: exitCodes.unknown },
  service_unknown: { status: 404, exit: exitCodes.unknown },
  project_running: { status: 409, exit: exitCodes.usage },
  not_running: { status: 409, exit: exitCodes.failed },
  order_failed: { status: 409, exit: exitCodes.failed },
  timed_out: { status: 409, exit: exitCodes.failed },
  daemon_unreachable: { status: 503, exit: exitCodes.unreachable },
  daemon_stopping: { status: 503, exit: exitCodes.unreachable },
  version_mismatch: { status: 409, exit: exitCodes.unreachable },
  path_too_long: { status: 500, exit: exitCodes.unreachable },
  directory_refused: { status: 500, exit: exitCodes.unreachable },
  setup_failed: { status: 500, exit: exitCodes.failed },
  internal: { status: 500, exit: exitCodes.failed },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorKinds

/** An error that the user or the machine can cause: what happened, why (in `cause`), and what to do next (`hint`). */
export class LocaldError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  /** Faults of the configuration, when that is what it is about. */
  readonly diagnostics: readonly Diagnostic[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; hint?: string; diagnostics?: readonly Diagnostic[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LocaldError'
    this.code = code
    this.hint = options.hint
    this.diagnostics = options.diagnostics ?? []
  }
}

/** A fault or an oddity of a configuration file, with its place. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  /** A stable name: `unknown-key`, `wrong-type`, `cycle`. */
  readonly code: string
  readonly message: string
  readonly file: string
  /** Counts from 1. */
  readonly line: number
  /** Counts from 1, in UTF-16 code units. */
  readonly column: number
  /** The quoted line, without its end; absent when the file has no such line. */
  readonly source?: string
  /** How many columns the fault spans; absent means one. */
  readonly length?: number
  /** What to do about it: the nearest right name, the allowed values. */
  readonly hint?: string
}

/** The body of every failed API answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly hint?: string
    readonly diagnostics?: readonly Diagnostic[]
  }
}
