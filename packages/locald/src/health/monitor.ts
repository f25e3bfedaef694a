// What the supervisor asks of health, and what it is told: the contract of this folder.
import type { HealthSource } from '@locald/protocol'
import type { ProbeSpec } from './probe-spec.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { Clock } from './clock.ts'
import type { ListenerWatch } from './listener-watch.ts'

/** One run of an instance whose health is watched. */
export interface HealthSubject {
  readonly run: string
  readonly identity: RunIdentity
  /** Start of the run, milliseconds since the epoch. */
  readonly startedAt: number
  /** The port it was given; null when it has none. */
  readonly port: number | null
  readonly listening: 'must' | 'may' | 'never'
  readonly portDiscovery: 'auto' | 'scan' | 'off'
  /** Absent: inferred from `listening`. */
  readonly check?: ProbeSpec
  /** For command checks. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Whether it was healthy already (a daemon taking over): failures count at once. */
  readonly wasHealthy: boolean
  /** Whether it has sent READY=1 already. Default: when a `notify` check found it healthy. */
  readonly wasNotified?: boolean
}

/** Where a service that is healthy is reached. */
export interface Reached {
  /** Where it listens, the chosen one first; empty when that is not known. */
  readonly ports: readonly number[]
  /** The address to connect to for the chosen one. Absent: 127.0.0.1. */
  readonly host?: string
  readonly warnings: readonly string[]
}

export function reachedBy({ ports, host, warnings }: Reached): Reached {
  return { ports, ...(host === undefined ? {} : { host }), warnings }
}

export type HealthReport =
  /** Healthy from now on; repeated when the source changes, or where it is reached. */
  | (Reached & { readonly type: 'healthy'; readonly source: HealthSource; readonly message: string })
  /** It was healthy and is not any more, or (never healthy) it was found to be wrong: somebody else's listener. */
  | { readonly type: 'unhealthy'; readonly source: HealthSource; readonly message: string; readonly output?: string }
  /** A check gave another result than the one before, without changing the status: what to show in `why`. */
  | { readonly type: 'checked'; readonly source: HealthSource; readonly message: string; readonly output?: string }

/** One check that has ended, whether or not its result was worth a report. */
export interface CheckRecord {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly ok: boolean
  readonly message: string
  readonly output: string | null
}

/** Watches until disposed. Reports nothing after that. */
export interface HealthMonitor extends Disposable {
  /** Null before the first has ended. */
  readonly lastCheck: CheckRecord | null
  /** What decides, as far as that is known yet. */
  readonly source: HealthSource
  /**
   * The service sent READY=1. Healthy at once where nothing explicit, or `notify`, decides; ignored by every other check.
   */
  notified(): void
}

export interface HealthDependencies {
  /** Lines of this run's output from its start on, for log checks. Ends when `signal` aborts. */
  readonly lines: (run: string, signal: AbortSignal) => AsyncIterable<string>
  /** One for the whole daemon: `new ListenerWatch()`, disposed of after all monitors. */
  readonly listeners: ListenerWatch
  /** Default: the system's. */
  readonly clock?: Clock
  /** From 0 to 1, spreads checks. Default Math.random. */
  readonly random?: () => number
}
