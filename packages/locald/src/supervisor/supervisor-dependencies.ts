// What the supervisor needs of the world: everything that it does not decide itself.
import type { LocaldEvent } from '@locald/protocol'
import type { ContainerOrder, ContainerRunner, OutputTarget } from '../container/container-order.ts'
import type { HealthMonitor, HealthReport, HealthSubject } from '../health/monitor.ts'
import type { ProbeSpec } from '../health/probe-spec.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { SpawnOrder } from '../keeper/protocol.ts'
import type { Logger } from '../lib/logger.ts'
import type { Plan } from '../plan/plan.ts'
import type { Clock } from './attendants.ts'
import type { Run } from './instance.ts'
import type { Place } from './place.ts'
import type { Change } from './state.ts'

/** An event before it has a number and a time. */
export type NewEvent = LocaldEvent extends infer E ? (E extends LocaldEvent ? Omit<E, 'seq' | 'at'> : never) : never

/** What is needed to spawn a run, gathered at the last moment. */
export type Prepared =
  | {
      readonly ok: true
      /** Null: nothing has to run. */
      readonly order: SpawnOrder | ContainerOrder | null
      readonly check: PreparedCheck
      /** Differs from the plan when somebody took the assigned port meanwhile. */
      readonly port: number | null
    }
  | { readonly ok: false; readonly reason: string }

/** The health check of a run with its references replaced, and the environment that a command check runs in. */
export interface PreparedCheck {
  readonly check?: ProbeSpec
  readonly env: Readonly<Record<string, string>>
}

export interface SupervisorDependencies {
  readonly keeper: KeeperLink
  /** Runs services that are containers, as the keeper runs the others. */
  readonly containers: ContainerRunner
  readonly startContainerMonitor: (
    subject: ContainerSubject,
    place: Place,
    report: (report: HealthReport) => void,
  ) => HealthMonitor
  /** Where the output of an instance goes. */
  readonly logOf: (place: Place, run: Run) => OutputTarget
  /** Stores changes and, when there is one, the event that shows them; both before anything is done about them. */
  readonly record: (event: NewEvent | null, changes: readonly Change[]) => void
  /** What `work` records is stored as a whole or not at all. Not nested. */
  readonly batch: (work: () => void) => void
  /** `siblings` is the plan with the ports at which the others were found. */
  readonly prepare: (place: Place, run: Run, siblings: Plan) => Promise<Prepared>
  readonly startMonitor: (subject: HealthSubject, report: (report: HealthReport) => void) => HealthMonitor
  /** For a run that an earlier daemon spawned; otherwise it comes with what was prepared. */
  readonly prepareCheck: (place: Place, siblings: Plan) => Promise<PreparedCheck>
  /** Watches the files of a service that has `watch`; those that changed `since` then (milliseconds since the epoch) count. */
  readonly watchFiles: (place: Place, since: number, report: (report: FileReport) => void) => Disposable
  /** What there is to say at present, with the warnings of this project: about recording, about its names. */
  readonly warningsOf: (project: string) => readonly string[]
  /** The address of a service by one of its names; null: none works. */
  readonly publicUrlOf: (plan: Plan, service: string) => string | null
  /**
   * Sends an instance no further requests, and settles when those under way have been answered or their time is over. Null: there
   * is nothing to wait for.
   */
  readonly drain: (place: Place) => Promise<void> | null
  /** Which of these ports somebody listens on, with who that is; gives those who are about to let go a moment. */
  readonly heldPorts: (ports: ReadonlySet<number>) => Promise<ReadonlyMap<number, string>>
  /** Which of the processes that could not be ended are still there. */
  readonly remainingSurvivors: (survivors: readonly string[]) => readonly string[]
  readonly newRunId: () => string
  readonly clock: Clock
  readonly logger: Logger
}

/** What became of the files that a service watches. */
export type FileReport =
  | { readonly type: 'files-changed'; readonly files: readonly string[] }
  /** They cannot be watched, now or ever. */
  | { readonly type: 'watch-failed'; readonly reason: string }

/** A container whose health is watched. */
export interface ContainerSubject {
  readonly run: string
  readonly startedAt: number
  readonly check?: ProbeSpec
  readonly wasHealthy: boolean
  readonly wasNotified: boolean
}
