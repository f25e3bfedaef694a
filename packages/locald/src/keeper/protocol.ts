// The language between daemon and keeper: lines of JSON over an inherited socket pair. It only grows: a field or an
// operation is added, never changed or removed, because a new daemon must understand the keeper of an old installation.
import type { RunIdentity } from '../lib/process-tree.ts'

/** Grows when something is added that a daemon has to know of before it may use it. */
export const keeperProtocol = 1

export interface SpawnOrder {
  /** Chosen by the daemon; a keeper never runs the same id twice. */
  readonly run: string
  /** Opaque to the keeper, returned by `list`: project, service, instance, plan hash. */
  readonly tag: Readonly<Record<string, unknown>>
  /** Program and arguments; the program is looked up on the PATH of `env`. */
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** A terminal of this size, or null for two pipes and a stdin that stays open. */
  readonly tty: { readonly cols: number; readonly rows: number } | null
  readonly log: LogTarget
  /** How a later keeper ends what is left of it, should this one be lost. Default: SIGTERM to the group, 10 s. */
  readonly recovery?: RecoveryEnd
}

export type RecoveryEnd = Pick<EndOrder, 'signal' | 'scope' | 'timeoutMs'>

/** Where output goes. */
export interface LogTarget {
  /** Path below the log directory, `<project id>/<service>.<instance>`. */
  readonly stream: string
  /** The run's number in that stream. */
  readonly run: number
  /** Bytes of a segment, and how many are kept. */
  readonly segmentBytes: number
  readonly segments: number
}

export interface EndOrder {
  readonly run: string
  /** With its SIG prefix. */
  readonly signal: string
  /** Whether the first signal goes to the whole process group or to the leader alone. */
  readonly scope: 'group' | 'leader'
  /** Until SIGKILL for every member of the tree. Null: never. 0: at once. */
  readonly timeoutMs: number | null
}

/** A process that belongs to a run. */
export interface Member {
  readonly pid: number
  readonly command: string
}

export interface RunInfo {
  readonly run: string
  readonly tag: Readonly<Record<string, unknown>>
  readonly identity: RunIdentity
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly tty: boolean
  /** Set once the leader has exited. */
  readonly exited: { readonly code: number | null; readonly signal: string | null; readonly at: number } | null
  /** An `end` is under way. */
  readonly ending: boolean
  /**
   * An earlier keeper started it and was lost. What was left of it, which are these, is being ended; `emptied` tells when
   * nothing is left any more. How its leader ended nobody knows, and there is no `exited`.
   */
  readonly lost?: { readonly members: readonly Member[] }
}

/**
 * Something that happened to a run, numbered by the keeper. Facts are kept until they are acknowledged and are sent again
 * to the next daemon. A keeper's numbers are above those of every earlier keeper.
 */
export type Fact = { readonly seq: number; readonly at: number; readonly run: string } & (
  | { readonly type: 'spawned'; readonly identity: RunIdentity }
  /** The leader was reaped and everything it had written is recorded. `members` are left of its tree. */
  | {
      readonly type: 'exited'
      readonly code: number | null
      readonly signal: string | null
      readonly members: readonly Member[]
    }
  /** An `end` sent SIGKILL, because these were still there after the time-out. */
  | { readonly type: 'killed'; readonly members: readonly Member[] }
  /**
   * After `exited`, and after an `end` if there was one: nothing is left of the tree, but for `survivors`. When the leader
   * itself is a survivor there was no `exited`; it follows if the leader ends after all.
   */
  | { readonly type: 'emptied'; readonly survivors: readonly (Member & { readonly reason: string })[] }
)

/** Why a spawn did not happen; nothing was started, and the id may be used again. */
export type SpawnRefusal =
  | { readonly reason: 'duplicate' }
  | { readonly reason: 'command-not-found'; readonly message: string }
  | { readonly reason: 'not-executable'; readonly message: string }
  | { readonly reason: 'workdir-missing'; readonly message: string }
  | { readonly reason: 'failed'; readonly message: string }

export type SpawnResult =
  | { readonly ok: true; readonly identity: RunIdentity; readonly startedAt: number }
  | ({ readonly ok: false } & SpawnRefusal)

export interface KeeperHello {
  readonly protocol: number
  readonly version: string
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly runs: readonly RunInfo[]
}

/** What a daemon may ask; `keeper/client.ts` is the typed way to do it. */
export interface KeeperOperations {
  /** First of all. Unacknowledged facts follow the answer. `ack` acknowledges what the daemon has already stored. */
  hello: { params: { readonly version: string; readonly ack: number }; result: KeeperHello }
  spawn: { params: SpawnOrder; result: SpawnResult }
  /** Ends a run: signal, wait, SIGKILL to every member, wait. Answered at once; `emptied` tells the end. Repeatable with a shorter time-out. */
  end: { params: EndOrder; result: { readonly known: boolean } }
  /** Sends one signal to the group of a run. */
  signal: { params: { readonly run: string; readonly signal: string }; result: { readonly sent: boolean } }
  /** Who belongs to a run now. */
  members: { params: { readonly run: string }; result: { readonly members: readonly Member[] } }
  resize: {
    params: { readonly run: string; readonly cols: number; readonly rows: number }
    result: { readonly done: boolean }
  }
  /** Input for the run's terminal or stdin, base64. */
  write: { params: { readonly run: string; readonly data: string }; result: { readonly written: boolean } }
  list: { params: Record<string, never>; result: { readonly runs: readonly RunInfo[] } }
  /** Adds a record (JSON, kind `record`) or output (base64) to a log stream. */
  append: {
    params: { readonly log: LogTarget; readonly record?: Readonly<Record<string, unknown>>; readonly output?: string }
    result: Record<string, never>
  }
  /** Facts up to and including `seq` are stored by the daemon; their runs, if emptied, may be forgotten. */
  ack: { params: { readonly seq: number }; result: Record<string, never> }
  /** Exits, when nothing runs; the daemon exits by itself. `restart` starts the daemon anew instead, from `program` if given. */
  shutdown: {
    params: { readonly restart?: boolean; readonly program?: string }
    result: { readonly running: number }
  }
}

export type KeeperOperation = keyof KeeperOperations

/** Daemon to keeper. */
export interface KeeperRequest {
  readonly id: number
  readonly op: KeeperOperation
  readonly params: unknown
}

/** Keeper to daemon. `grew`: output was added to this log stream; sent at most once until the daemon has read the message. */
export type KeeperMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly fact: Fact }
  | { readonly grew: string }
