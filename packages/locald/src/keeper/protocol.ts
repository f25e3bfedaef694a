// The language between daemon and keeper: lines of JSON over an inherited socket pair. It only grows: a field or an
// operation is added, never changed or removed, because a new daemon must understand the keeper of an old installation.
import type { RunIdentity } from '../lib/process-tree.ts'

/** Grows when something is added that a daemon has to know of before it may use it. */
export const keeperProtocol = 2

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
  /**
   * How it is ended without a daemon: what is left of it by a later keeper, should this one be lost, and by a keeper that is told
   * to end. Default: SIGTERM to the group, 10 s.
   */
  readonly recovery?: RecoveryEnd
  /** Since protocol 2. The run is heard on a notify socket; the environment must name its address. */
  readonly notify?: NotifyOrder
}

export interface NotifyOrder {
  /** A path, or on Linux "@" and a name that nobody can guess. */
  readonly address: string
  /** It has to send WATCHDOG=1 at least so often. */
  readonly watchdogMs?: number
}

/** Who sent a message, as the kernel saw it. */
export interface NotifySender {
  readonly pid: number
  readonly uid: number
  /** What it was called with; null when it was gone already. */
  readonly command: string | null
  /**
   * Why it is believed. `member`: it belongs to the run. `exited`: it was gone when its message was read, and the run has, or
   * had, processes of its user. `unverified`: the system does not tell who sends.
   */
  readonly verdict: 'member' | 'exited' | 'unverified'
}

/** A message that does not count. */
export interface NotifyRefusal {
  /** The sender does not belong to the run; it was gone and is of a user unknown to the run; or the text is no message. */
  readonly reason: 'outside' | 'unknown-user' | 'malformed' | 'oversized'
  readonly fields: Readonly<Record<string, string>>
  readonly sender: Omit<NotifySender, 'verdict'>
}

export interface RecoveryEnd extends Pick<EndOrder, 'signal' | 'scope' | 'timeoutMs'> {
  /**
   * Of the runs of one whole (a project), those with the greatest depth are ended first, the others when nothing is left of
   * these. Default: at once. An earlier keeper passes it over.
   */
  readonly order?: { readonly of: string; readonly depth: number }
}

/** Where output goes. */
export interface LogTarget {
  /** Path below the log directory, `<project id>/<service>.<instance>`. */
  readonly stream: string
  /** The run's number in that stream. */
  readonly run: number
  /** Bytes of a segment, and how many are kept. */
  readonly segmentBytes: number
  readonly segments: number
  /** Bytes that are kept of all streams together; what was said last holds. Default: no limit. */
  readonly totalBytes?: number
}

/** What of a log stream the disk has not taken. */
export interface UnwrittenOutput {
  /** Frames as they will be written, base64; empty when there are none. */
  readonly frames: string
  /** Position after everything that was recorded; 0 when the disk takes everything. */
  readonly end: number
  readonly lastRun: number
}

/** The disk refuses a log stream; services run on, and the newest output waits in memory. */
export interface StreamTrouble {
  readonly stream: string
  /** The code of the error; null: it is written again. */
  readonly trouble: string | null
}

/** Output of which somebody else knows the time: the engine that runs a container. */
export interface TimedOutput {
  readonly stream: 'stdout' | 'stderr' | 'pty'
  /** Milliseconds since the epoch, with a fraction: kept as it is, for it says where to go on. */
  readonly at: number
  /** base64 */
  readonly output: string
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

/** Who typed what, so that a request that is sent again after the daemon was replaced is typed once. */
export interface InputOrigin {
  /** Unguessable; one for as long as somebody is attached. */
  readonly client: string
  /** Grows with each request of this client. */
  readonly seq: number
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
  /** All that it has sent over its notify socket so far, as one message; absent when that is nothing. */
  readonly notified?: Notification
}

/** What a run said, and who said it; of several messages the last one's sender. */
export interface Notification {
  readonly fields: Readonly<Record<string, string>>
  readonly sender: NotifySender
}

/**
 * Something that happened to a run, numbered by the keeper. Facts are kept until they are acknowledged and are sent again
 * to the next daemon. A keeper's numbers are above those of every earlier keeper. `at`: milliseconds since the epoch.
 */
export type Fact = { readonly seq: number; readonly at: number; readonly run: string } & (
  | { readonly type: 'spawned'; readonly identity: RunIdentity }
  /** The leader was reaped, `at` that time, and everything it had written is recorded. `members` are left of its tree. */
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
  /** It sent this over its notify socket; what comes too quickly is told as one message. Without WATCHDOG and BARRIER. */
  | ({ readonly type: 'notified' } & Notification)
  /** So many messages were refused since the last such fact; the latest of them is shown. */
  | ({ readonly type: 'notify-refused'; readonly count: number } & NotifyRefusal)
  /** It did not send WATCHDOG=1 for that long, or does so again. 0: it said by itself that it has failed. */
  | { readonly type: 'watchdog'; readonly is: 'missed' | 'resumed'; readonly periodMs: number }
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
  /** What containers have said so far; of those that said nothing, nothing. Absent: the keeper does not tell. */
  readonly containers?: readonly { readonly run: string; readonly notified: Notification }[]
  /** Since protocol 2: log streams that the disk refuses. */
  readonly troubles?: readonly StreamTrouble[]
  /** A file of the keeper's own was damaged, in words for people; absent when none was, and of older keepers. */
  readonly warnings?: readonly string[]
}

/** What a daemon may ask; `keeper/client.ts` is the typed way to do it. */
export interface KeeperOperations {
  /** First of all. Unacknowledged facts follow the answer. `ack` acknowledges what the daemon has already stored. */
  hello: { params: { readonly version: string; readonly ack: number }; result: KeeperHello }
  spawn: { params: SpawnOrder; result: SpawnResult }
  /**
   * Ends a run: signal, wait, SIGKILL to every member, wait. Answered at once; `emptied` tells the end. Repeatable with a shorter
   * time-out. Of a container, which is not the keeper's to end, it only stops the watchdog.
   */
  end: { params: EndOrder; result: { readonly known: boolean } }
  /**
   * Since protocol 2. The run is up: its WATCHDOG=1 is expected from now on, if it has to send any. It is from READY=1 on
   * without being asked.
   */
  watchdog: { params: { readonly run: string }; result: { readonly known: boolean } }
  /**
   * Since protocol 2, for a run that is a container and so not the keeper's: `open` makes its notify socket, a path that is
   * mounted into it; `container` tells the id it has, before it is started; `close` ends it. Each may be repeated.
   */
  notify: {
    params: { readonly run: string } & (
      | { readonly open: NotifyOrder }
      | { readonly container: string }
      | { readonly close: true }
    )
    result: { readonly known: boolean }
  }
  /** Sends one signal to the group of a run. */
  signal: { params: { readonly run: string; readonly signal: string }; result: { readonly sent: boolean } }
  /** Who belongs to a run now. */
  members: { params: { readonly run: string }; result: { readonly members: readonly Member[] } }
  resize: {
    params: { readonly run: string; readonly cols: number; readonly rows: number }
    result: { readonly done: boolean }
  }
  /** Input for the run's terminal or stdin, base64. With `from`, what was written already is not written again. */
  write: {
    params: { readonly run: string; readonly data: string; readonly from?: InputOrigin }
    result: { readonly written: boolean }
  }
  /** Which processes of the run wait for input on its terminal now; none where the system does not tell. */
  readers: { params: { readonly run: string }; result: { readonly pids: readonly number[] } }
  list: { params: Record<string, never>; result: { readonly runs: readonly RunInfo[] } }
  /** Adds a record (JSON, kind `record`) or output (base64) to a log stream. */
  append: {
    params: {
      readonly log: LogTarget
      readonly record?: Readonly<Record<string, unknown>>
      readonly output?: string
      /** Since protocol 2: output with times of its own. Answered when there is room for more. */
      readonly chunks?: readonly TimedOutput[]
      /** Since protocol 2: the time of the record. Default: now. */
      readonly at?: number
    }
    result: Record<string, never>
  }
  /** Since protocol 2. What the disk has not taken of a stream, from this position on: a part of it, if it is much. */
  unwritten: { params: { readonly stream: string; readonly from: number }; result: UnwrittenOutput }
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
  /** Since protocol 2. */
  | StreamTrouble
