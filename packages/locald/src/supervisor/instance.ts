// One instance of a service as the supervisor keeps it: plain data that survives the daemon in the journal.
import type { HealthSource, ServiceExit, ServiceState } from '@locald/protocol'
import type { ContainerIdentity } from '../container/container-order.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { NotifyMemory } from './notify-memory.ts'

/** One life of a process, from the order to spawn it until nothing of its tree is left. */
export interface Run {
  /** What the keeper knows it by. */
  readonly id: string
  /** Counts the runs of this instance from 1. */
  readonly number: number
  /** Null until the keeper has spawned it, and of a container. */
  readonly identity: RunIdentity | null
  /** Of a container that was started; absent: it is none, or was not started yet. */
  readonly container?: ContainerIdentity
  /** When it was ordered, then when it was spawned; milliseconds since the epoch. */
  readonly startedAt: number
  /** Hash of the service's plan at the time. */
  readonly hash: string
}

/** Restarts because of changed files, and why there are no more of them. */
export interface WatchMemory {
  /** The latest, oldest first. */
  readonly restarts: readonly WatchRestart[]
  /** Why changes restart it no more, until it is ordered to start; null when they do. */
  readonly suspended: string | null
}

export interface WatchRestart {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** How old the run was that it ended. */
  readonly ageMs: number
  /** What changed, as far as it is worth keeping. */
  readonly files: string
}

/**
 * Where an instance is. Each state holds only what it needs:
 *
 *     stopped ◀───────────────────────────────┐
 *        │ start                              │ stop
 *        ▼         dependencies-met           │
 *     waiting ─────────────────▶ starting ────┼──▶ stopping ──emptied──▶ stopped | waiting (restart)
 *        ▲                          │ healthy │       ▲
 *        │ due                      ▼         │       │ exited, unhealthy (on_unhealthy)
 *     backoff ◀──┐               running ─────┴───────┘
 *                └─ restart policy, once the tree is empty ─▶ completed | failed
 *
 * With a schedule, `scheduled` stands before `waiting`, and instead of `completed` and `failed`. What starts on request is
 * `idle` before `waiting`, and again once nobody has used it for a while. Changed files lead from anywhere but `stopped`,
 * `scheduled` and `idle` to another start.
 */
export type InstanceState =
  | { readonly id: 'stopped' }
  /** For its dependencies. */
  | { readonly id: 'waiting'; readonly since: number }
  /**
   * Until it is healthy for the first time. `deadline`: when that is overdue; null: never, or not spawned yet. `hopelessAt`:
   * when it counts as overdue because a check found what waiting will not mend; null: nothing of that kind.
   */
  | {
      readonly id: 'starting'
      readonly run: Run
      readonly deadline: number | null
      readonly hopelessAt: number | null
      readonly overdue: boolean
    }
  | { readonly id: 'running'; readonly run: Run; readonly healthy: boolean }
  /** Its leader has exited or is being ended; waits until nothing of the tree is left. */
  | {
      readonly id: 'stopping'
      readonly run: Run
      readonly since: number
      readonly exit: ServiceExit | null
      /** What comes afterwards: what the restart policy says, nothing, another start, or waiting for one who wants it. */
      readonly afterwards: 'policy' | 'stop' | 'start' | 'idle'
      /** The signal that an `end` sent, for the reason of the exit; null when it exited by itself. */
      readonly signalled: string | null
      readonly killed: boolean
    }
  | { readonly id: 'backoff'; readonly until: number; readonly reason: string }
  | { readonly id: 'completed' }
  | { readonly id: 'failed'; readonly reason: string }
  /** For the next moment of its schedule. `failure`: why the run before it did not succeed; null: it did, or there was none. */
  | { readonly id: 'scheduled'; readonly at: number; readonly failure: string | null }
  /** A site whose files are there: it is up, and needs no process. */
  | { readonly id: 'serving' }
  /** It is up, but nothing runs until somebody wants it. */
  | { readonly id: 'idle' }

/** What is remembered of an instance across its states. */
export interface InstanceMemory {
  /** Whether it ought to be up. False from the moment a stop is accepted, before its turn has come. */
  readonly wanted: boolean
  /** Runs so far. */
  readonly runs: number
  /** Restarts by the policy since the last order. */
  readonly restarts: number
  /** Times of the latest crashes, oldest first; milliseconds since the epoch. */
  readonly crashes: readonly number[]
  readonly exit: ServiceExit | null
  readonly readyAfterMs: number | null
  /** Start of the current or last run. */
  readonly startedAt: number | null
  readonly health: { readonly source: HealthSource; readonly message: string; readonly output: string | null } | null
  /** Where it was seen listening, the chosen one first. */
  readonly ports: readonly number[]
  readonly warnings: readonly string[]
  /** Processes of the last run that could not be ended. */
  readonly survivors: readonly string[]
  /** Hash of the plan that its last completed run was started by. */
  readonly completedHash: string | null
  /**
   * Where it was found listening, by which definition of it: what siblings are told until it listens again. Null when it was
   * never found anywhere, or its definition changed. `host`: by which address; absent: 127.0.0.1.
   */
  readonly found: { readonly port: number; readonly hash: string; readonly host?: string } | null
  /** The ports of siblings that its current or last run was started with, by service. */
  readonly told: Readonly<Record<string, number>>
  readonly watch: WatchMemory
  /** What its current or last run has said over its notify socket; null: nothing. */
  readonly notify: NotifyMemory | null
  /** Id of the run that waits for somebody to type; null, or another run's: none does. */
  readonly inputWantedBy: string | null
}

export interface Instance {
  readonly state: InstanceState
  readonly memory: InstanceMemory
}

export const newInstance: Instance = {
  state: { id: 'stopped' },
  memory: {
    wanted: false,
    runs: 0,
    restarts: 0,
    crashes: [],
    exit: null,
    readyAfterMs: null,
    startedAt: null,
    health: null,
    ports: [],
    warnings: [],
    survivors: [],
    completedHash: null,
    found: null,
    told: {},
    watch: { restarts: [], suspended: null },
    notify: null,
    inputWantedBy: null,
  },
}

/** Whether its tree waits for input on its terminal. */
export function wantsInput({ state, memory }: Instance): boolean {
  return (state.id === 'starting' || state.id === 'running') && state.run.id === memory.inputWantedBy
}

/** The state as it is shown: a site that is served is as good as running. */
export function stateShown({ id }: InstanceState): ServiceState {
  return id === 'serving' ? 'running' : id
}

/** Whether there is a process, or a container, of it. */
export function isSpawned(run: Run): boolean {
  return run.identity !== null || run.container !== undefined
}

/** The run of an instance that has processes, or may have. */
export function runOf(instance: Instance): Run | null {
  const { state } = instance
  return state.id === 'starting' || state.id === 'running' || state.id === 'stopping' ? state.run : null
}

/** Whether it has, or is about to have, processes, or will by itself. */
export function isActive(instance: Instance): boolean {
  return !['stopped', 'completed', 'failed'].includes(instance.state.id)
}
