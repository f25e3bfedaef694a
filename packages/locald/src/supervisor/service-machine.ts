// The life of one instance, as a pure function. Effects are carried out by the supervisor, which feeds their results back
// in; timers and health monitors are not effects but follow from the state (`dueAt`, `isWatched`), so that a new daemon
// only has to look at the state to go on.
import type { HealthSource, ServiceEventType, ServiceExit } from '@locald/protocol'
import type { RestartPolicy } from '../config/config.ts'
import type { NotifyRefusal, NotifySender } from '../keeper/protocol.ts'
import type { ContainerIdentity } from '../container/container-order.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import { microseconds } from '../lib/microseconds.ts'
import { unreachable } from '../lib/unreachable.ts'
import { nextMoment } from '../lib/cron.ts'
import { afterExit } from './restart-policy.ts'
import { isSpawned, runOf, wantsInput } from './instance.ts'
import { afterNotified, afterRefused, describeErrno, nothingNotified, overruling } from './notify-memory.ts'
import type { NotifyMemory } from './notify-memory.ts'
import type { Instance, InstanceMemory, InstanceState, Run } from './instance.ts'
import { afterChangedFiles } from './watch-policy.ts'

/** What the machine has to know of the service. */
export interface MachineSettings {
  /** It runs to its end. A site does so too, if it is built: its files are served afterwards. */
  readonly isTask: boolean
  readonly isSite: boolean
  /** To exit with 0 before it was healthy is a failure. */
  readonly hasToServe: boolean
  readonly restart: RestartPolicy
  readonly startTimeoutMs: number | null
  readonly onUnhealthy: 'ignore' | 'restart'
  readonly stopSignal: string
  readonly hash: string
  /** A cron expression; null: it has no schedule. */
  readonly schedule: string | null
  /** Brought up, it is idle until somebody wants it. */
  readonly isOnRequest: boolean
  /** It is idle also when nobody has used it for a while. */
  readonly endsUnused: boolean
}

/** Of an instance whose service is no longer known. */
export const defaultSettings: MachineSettings = {
  isTask: false,
  isSite: false,
  hasToServe: false,
  restart: 'never',
  startTimeoutMs: null,
  onUnhealthy: 'ignore',
  stopSignal: 'SIGTERM',
  hash: '',
  schedule: null,
  isOnRequest: false,
  endsUnused: false,
}

/** A check found what waiting will not mend: so long it may be wrong about that. */
const hopelessMs = 1000
/** A scheduled moment is missed when nobody was there for so long after it; a daemon is replaced in less. */
const missedMs = 10_000

export type MachineInput =
  /** Ordered to be up: starts what is stopped, retries what failed. */
  | { readonly type: 'start' }
  /** A request for it has come, or one that depends on it is about to start: it starts if it is idle. */
  | { readonly type: 'wanted' }
  /** Nobody has used it for as long as it is kept for that: it ends, and is idle. */
  | { readonly type: 'unused' }
  /** Its dependencies are met: go. `run` is the id for the new run. */
  | { readonly type: 'dependencies-met'; readonly run: string }
  | { readonly type: 'dependency-failed'; readonly reason: string }
  /** What its run is going to be spawned with, as far as it is remembered. */
  | { readonly type: 'prepared'; readonly run: string; readonly told: Readonly<Record<string, number>> }
  /** What starting it waits for, before it is spawned: an image that is pulled. */
  | { readonly type: 'preparing'; readonly run: string; readonly message: string }
  | {
      readonly type: 'spawned'
      readonly run: string
      /** Null: it is a container. */
      readonly identity: RunIdentity | null
      readonly container?: ContainerIdentity
      readonly at: number
    }
  /** There is nothing to spawn: the files of the site are there. */
  | { readonly type: 'served'; readonly run: string }
  /** It could not be spawned; trying again would not help. */
  | { readonly type: 'refused'; readonly run: string; readonly reason: string }
  | {
      readonly type: 'healthy'
      readonly run: string
      readonly source: HealthSource
      readonly message: string
      readonly ports: readonly number[]
      /** The address for the first of them. Absent: 127.0.0.1. */
      readonly host?: string
      readonly warnings: readonly string[]
    }
  | {
      readonly type: 'unhealthy' | 'checked'
      readonly run: string
      readonly source: HealthSource
      readonly message: string
      readonly output: string | null
    }
  | {
      readonly type: 'exited'
      readonly run: string
      readonly code: number | null
      readonly signal: string | null
      readonly at: number
      readonly members: number
      /** Said instead of code and signal, where there is more to say. */
      readonly reason?: string | null
    }
  | { readonly type: 'killed'; readonly run: string }
  /** It spoke over its notify socket. That READY=1 makes it healthy is its monitor's to say. */
  | {
      readonly type: 'notified'
      readonly run: string
      readonly fields: Readonly<Record<string, string>>
      readonly sender: NotifySender
      readonly at: number
    }
  | ({
      readonly type: 'notify-refused'
      readonly run: string
      readonly count: number
      readonly at: number
    } & NotifyRefusal)
  /** It did not give a sign of life for so long, or does so again. */
  | {
      readonly type: 'watchdog'
      readonly run: string
      readonly is: 'missed' | 'resumed'
      readonly periodMs: number
    }
  | { readonly type: 'emptied'; readonly run: string; readonly survivors: readonly string[] }
  /**
   * Its keeper was lost, or knows nothing of its run: how it ended was not seen, and is no crash. Unless it `isGone` already,
   * `emptied` tells when nothing is left of it.
   */
  | { readonly type: 'lost'; readonly run: string; readonly isGone: boolean }
  /** A stop was accepted; its turn to be ended may come later. What has no process is stopped at once. */
  | { readonly type: 'retire' }
  | { readonly type: 'stop' }
  /** Stop, then start again. What has no process is started, what is scheduled or on request at once. */
  | { readonly type: 'restart' }
  /** Files that it watches have changed. */
  | { readonly type: 'files-changed'; readonly files: readonly string[] }
  /** Its files cannot be watched. */
  | { readonly type: 'watch-failed'; readonly reason: string }
  /** What is left now of processes that could not be ended. */
  | { readonly type: 'survivors'; readonly survivors: readonly string[] }
  /** Somebody has to type something for it to go on, or not any more. */
  | { readonly type: 'input'; readonly run: string; readonly isWanted: boolean }
  /** The moment of `dueAt` has come. */
  | { readonly type: 'due' }

export type Effect = { readonly type: 'spawn'; readonly run: Run } | { readonly type: 'end'; readonly run: Run }

export interface Step {
  readonly instance: Instance
  readonly effects: readonly Effect[]
  /** What to tell the world; null when nothing that is shown changed. */
  readonly event: ServiceEventType | null
}

/** When the state wants input `due`, in milliseconds since the epoch; null: never. */
export function dueAt(state: InstanceState): number | null {
  if (state.id === 'backoff') return state.until
  if (state.id === 'scheduled') return state.at
  if (state.id !== 'starting' || state.overdue) return null
  if (state.deadline === null || state.hopelessAt === null) return state.deadline ?? state.hopelessAt
  return Math.min(state.deadline, state.hopelessAt)
}

const unwatched: ReadonlySet<InstanceState['id']> = new Set(['stopped', 'scheduled', 'idle'])

/** Whether changes of its files restart it: from the order to start to the one to stop, also when it has crashed or is done. */
export function isFileWatched({ state, memory }: Instance): boolean {
  return memory.wanted && memory.watch.suspended === null && !unwatched.has(state.id)
}

/** Whether the health of its run is watched. */
export function isWatched(state: InstanceState): boolean {
  return (state.id === 'starting' || state.id === 'running') && isSpawned(state.run)
}

/** Inputs that a state has no use for (a result that comes late, a second order) leave it as it is. */
export function next(instance: Instance, input: MachineInput, settings: MachineSettings, now: number): Step {
  if ('run' in input && input.type !== 'dependencies-met' && runOf(instance)?.id !== input.run)
    return unchanged(instance)
  switch (input.type) {
    case 'start':
      return start(instance, settings, now)
    case 'wanted':
      return wanted(instance, now)
    case 'unused':
      if (instance.state.id !== 'running' || !instance.memory.wanted) return unchanged(instance)
      return end(instance, 'idle', settings, now)
    case 'dependencies-met':
      return spawn(instance, input.run, settings, now)
    case 'dependency-failed':
      if (instance.state.id !== 'waiting') return unchanged(instance)
      return giveUp(instance, input.reason, settings, now)
    case 'prepared':
      return prepared(instance, input.told)
    case 'preparing':
      return preparing(instance, input.message)
    case 'spawned':
      return spawned(instance, input, settings)
    case 'served':
      return served(instance, settings, now)
    case 'refused':
      return refused(instance, input.reason, settings, now)
    case 'healthy':
      return healthy(instance, input, settings, now)
    case 'unhealthy':
    case 'checked':
      return notHealthy(instance, input, settings, now)
    case 'exited':
      return exited(instance, input, settings, now)
    case 'killed':
      return killed(instance)
    case 'notified':
      return notified(instance, input, settings)
    case 'notify-refused': {
      const { type: _type, run: _run, at, ...refusal } = input
      return hear(instance, (memory) => afterRefused(memory, refusal, at))
    }
    case 'watchdog':
      return watchdog(instance, input, settings, now)
    case 'emptied':
      return emptied(instance, input.survivors, settings, now)
    case 'lost':
      return lost(instance, input.isGone, settings, now)
    case 'retire':
      return retire(instance)
    case 'stop':
      return end(remember(instance, { wanted: false }), 'stop', settings, now)
    case 'restart':
      return restart(instance, settings, now)
    case 'files-changed':
      return filesChanged(instance, input.files, settings, now)
    case 'watch-failed':
      return suspendWatch(instance, input.reason)
    case 'survivors':
      if (instance.memory.survivors.length === input.survivors.length) return unchanged(instance)
      return {
        instance: remember(instance, { survivors: input.survivors }),
        effects: [],
        event: 'service.updated',
      }
    case 'input':
      if (wantsInput(instance) === input.isWanted) return unchanged(instance)
      return {
        instance: remember(instance, { inputWantedBy: input.isWanted ? input.run : null }),
        effects: [],
        event: 'service.updated',
      }
    case 'due':
      return due(instance, settings, now)
    default:
      return unreachable(input)
  }
}

function start(instance: Instance, settings: MachineSettings, now: number): Step {
  const { state } = instance
  switch (state.id) {
    case 'stopped':
    case 'completed':
    case 'failed':
    case 'scheduled':
      if (settings.isOnRequest) return step(fresh(instance), { id: 'idle' }, 'service.idle')
      if (settings.schedule === null) return wait(fresh(instance), now)
      return schedule(fresh(instance), state.id === 'scheduled' ? state.failure : null, settings, now)
    case 'backoff':
      return wait(fresh(instance), now)
    case 'stopping': {
      const isIdleNext = state.afterwards === 'idle' || (settings.isOnRequest && state.afterwards !== 'start')
      const afterwards = isIdleNext ? 'idle' : 'start'
      return {
        instance: { state: { ...state, afterwards }, memory: fresh(instance).memory },
        effects: [],
        event: null,
      }
    }
    case 'idle':
      if (!settings.isOnRequest && !settings.endsUnused) return wait(fresh(instance), now)
      return { instance: remember(instance, { wanted: true }), effects: [], event: null }
    case 'waiting':
    case 'starting':
    case 'running':
    case 'serving':
      return { instance: remember(instance, { wanted: true }), effects: [], event: null }
    default:
      return unreachable(state)
  }
}

function wanted(instance: Instance, now: number): Step {
  const { state } = instance
  if (state.id === 'idle') return wait(fresh(instance), now)
  if (state.id !== 'stopping' || state.afterwards !== 'idle') return unchanged(instance)
  return { instance: { ...instance, state: { ...state, afterwards: 'start' } }, effects: [], event: null }
}

function wait(instance: Instance, now: number): Step {
  return step(instance, { id: 'waiting', since: now }, 'service.waiting')
}

/** For the next moment after `now`: those that were missed are not made up for. */
function schedule(instance: Instance, failure: string | null, settings: MachineSettings, now: number): Step {
  const at = nextMoment(settings.schedule ?? '', now)
  if (at === null) {
    return step(instance, { id: 'failed', reason: `the schedule "${settings.schedule}" never comes` }, 'service.failed')
  }
  return step(instance, { id: 'scheduled', at, failure }, 'service.updated')
}

/** It does not go on by itself, until the next moment of its schedule if it has one. */
function giveUp(instance: Instance, reason: string, settings: MachineSettings, now: number): Step {
  if (settings.schedule === null) return step(instance, { id: 'failed', reason }, 'service.failed')
  return { ...schedule(instance, reason, settings, now), event: 'service.failed' }
}

function restart(instance: Instance, settings: MachineSettings, now: number): Step {
  if (runOf(instance) !== null) return end(fresh(instance), 'start', settings, now)
  const isHeldBack = ['scheduled', 'idle', 'serving'].includes(instance.state.id) || settings.isOnRequest
  return isHeldBack && instance.state.id !== 'waiting' ? wait(fresh(instance), now) : start(instance, settings, now)
}

function filesChanged(instance: Instance, files: readonly string[], settings: MachineSettings, now: number): Step {
  if (!isFileWatched(instance) || instance.state.id === 'waiting') return unchanged(instance)
  const { memory } = instance
  const verdict = afterChangedFiles({
    restarts: memory.watch.restarts,
    ageMs: now - (memory.startedAt ?? now),
    files,
    now,
  })
  if (verdict.next === 'suspend') return suspendWatch(instance, verdict.reason)
  // What crashed was another version of it.
  const anew = remember(instance, { crashes: [], watch: { restarts: verdict.restarts, suspended: null } })
  return runOf(anew) === null ? wait(anew, now) : end(anew, 'start', settings, now)
}

function suspendWatch(instance: Instance, reason: string): Step {
  const watch = { restarts: [], suspended: reason }
  return { instance: remember(instance, { watch }), effects: [], event: 'service.updated' }
}

function spawn(instance: Instance, id: string, settings: MachineSettings, now: number): Step {
  if (instance.state.id !== 'waiting') return unchanged(instance)
  const run: Run = { id, number: instance.memory.runs + 1, identity: null, startedAt: now, hash: settings.hash }
  const memory: Partial<InstanceMemory> = {
    runs: run.number,
    readyAfterMs: null,
    startedAt: now,
    health: null,
    ports: [],
    warnings: [],
    survivors: [],
    told: {},
    notify: null,
    found: instance.memory.found?.hash === settings.hash ? instance.memory.found : null,
  }
  const starting: InstanceState = { id: 'starting', run, deadline: null, hopelessAt: null, overdue: false }
  return {
    ...step(remember(instance, memory), starting, 'service.starting'),
    effects: [{ type: 'spawn', run }],
  }
}

/** Mostly told the same as last time, or nothing: that is not worth an entry of the journal before every spawn. */
function prepared(instance: Instance, told: Readonly<Record<string, number>>): Step {
  const isKnown = JSON.stringify(told) === JSON.stringify(instance.memory.told)
  return { instance: isKnown ? instance : remember(instance, { told }), effects: [], event: null }
}

function preparing(instance: Instance, message: string): Step {
  const { state } = instance
  if (state.id !== 'starting' || isSpawned(state.run)) return unchanged(instance)
  const known = remember(instance, { health: { source: 'docker', message, output: null } })
  return { instance: known, effects: [], event: 'service.updated' }
}

function spawned(instance: Instance, input: MachineInput & { type: 'spawned' }, settings: MachineSettings): Step {
  const { state } = instance
  if ((state.id !== 'starting' && state.id !== 'stopping') || isSpawned(state.run)) return unchanged(instance)
  const { identity, container, at } = input
  const run: Run = { ...state.run, identity, ...(container === undefined ? {} : { container }), startedAt: at }
  const memory = { startedAt: at, ...(container === undefined ? {} : { health: null }) }
  if (state.id === 'stopping') return step(remember(instance, memory), { ...state, run }, 'service.updated')
  const deadline = settings.startTimeoutMs === null ? null : input.at + settings.startTimeoutMs
  return step(remember(instance, memory), { ...state, run, deadline }, 'service.spawned')
}

function served(instance: Instance, settings: MachineSettings, now: number): Step {
  const { state, memory } = instance
  if (state.id !== 'starting') return refused(instance, 'stopped', settings, now)
  const known = { readyAfterMs: Math.max(0, now - (memory.startedAt ?? now)), completedHash: state.run.hash }
  return step(remember(instance, known), { id: 'serving' }, 'service.healthy')
}

function refused(instance: Instance, reason: string, settings: MachineSettings, now: number): Step {
  const { state } = instance
  // Nothing ran: how an earlier run ended is not how this one did.
  if (state.id === 'starting') return giveUp(remember(instance, { exit: null }), reason, settings, now)
  if (state.id !== 'stopping') return unchanged(instance)
  return afterwards(instance, state.afterwards === 'policy' ? 'stop' : state.afterwards, state.since)
}

function afterwards(instance: Instance, what: 'stop' | 'start' | 'idle', now: number): Step {
  if (what === 'start') return step(instance, { id: 'waiting', since: now }, 'service.waiting')
  if (what === 'idle') return step(instance, { id: 'idle' }, 'service.idle')
  return step(instance, { id: 'stopped' }, 'service.stopped')
}

function healthy(
  instance: Instance,
  input: MachineInput & { type: 'healthy' },
  settings: MachineSettings,
  now: number,
): Step {
  const { state, memory } = instance
  if (state.id !== 'starting' && state.id !== 'running') return unchanged(instance)
  const known = remember(instance, {
    health: { source: input.source, message: input.message, output: null },
    ports: input.ports,
    warnings: input.warnings,
    found: foundBy(input, settings.hash) ?? memory.found,
    readyAfterMs: memory.readyAfterMs ?? Math.max(0, now - state.run.startedAt),
    notify: fitness(memory.notify, true),
  })
  const isHealthy = overruling(memory.notify) === null
  const wasHealthy = state.id === 'running' && state.healthy
  const news = isHealthy ? 'service.healthy' : 'service.unhealthy'
  const isNews = state.id === 'starting' || wasHealthy !== isHealthy
  return step(known, { id: 'running', run: state.run, healthy: isHealthy }, isNews ? news : 'service.updated')
}

function foundBy({ ports, host }: MachineInput & { type: 'healthy' }, hash: string): InstanceMemory['found'] {
  const [port] = ports
  return port === undefined ? null : { port, hash, ...(host === undefined ? {} : { host }) }
}

function fitness(memory: NotifyMemory | null, isFit: boolean): NotifyMemory | null {
  return memory === null ? null : { ...memory, isFit }
}

/** Takes in what was said; what it says of its own health overrules its checks. */
function hear(instance: Instance, take: (memory: NotifyMemory) => NotifyMemory): Step {
  const { state, memory } = instance
  const before = memory.notify ?? { ...nothingNotified, isFit: state.id === 'running' && state.healthy }
  const notify = take(before)
  const known = remember(instance, { notify })
  if (state.id !== 'running') return { instance: known, effects: [], event: 'service.updated' }
  const isHealthy = notify.isFit && overruling(notify) === null
  if (isHealthy === state.healthy) return { instance: known, effects: [], event: 'service.updated' }
  return step(known, { ...state, healthy: isHealthy }, isHealthy ? 'service.healthy' : 'service.unhealthy')
}

function notified(instance: Instance, input: MachineInput & { type: 'notified' }, settings: MachineSettings): Step {
  const { fields, sender, at } = input
  const heard = hear(instance, (memory) => afterNotified(memory, fields, sender, at))
  const { state } = heard.instance
  const extension = microseconds(fields['EXTEND_TIMEOUT_USEC'])
  if (state.id !== 'starting' || extension === null || settings.startTimeoutMs === null) return heard
  // Until then, or until its own time-out if that is later: the keeper sees to the same while it stops.
  const deadline = Math.max(state.deadline ?? 0, at + extension)
  return { ...heard, instance: { ...heard.instance, state: { ...state, deadline, overdue: false } } }
}

/** A miss is a failure like a crash: the restart policy says what comes of it. */
function watchdog(
  instance: Instance,
  { is, periodMs }: MachineInput & { type: 'watchdog' },
  settings: MachineSettings,
  now: number,
): Step {
  const heard = hear(instance, (memory) => ({ ...memory, missedMs: is === 'missed' ? periodMs : null }))
  if (is === 'resumed' || settings.restart === 'never' || !isWatched(heard.instance.state)) return heard
  return { ...end(heard.instance, 'policy', settings, now), event: 'service.unhealthy' }
}

function notHealthy(
  instance: Instance,
  input: MachineInput & { type: 'unhealthy' | 'checked' },
  settings: MachineSettings,
  now: number,
): Step {
  const { state } = instance
  if (state.id !== 'starting' && state.id !== 'running') return unchanged(instance)
  const known = remember(instance, {
    health: { source: input.source, message: input.message, output: input.output },
    ...(input.type === 'checked' ? {} : { notify: fitness(instance.memory.notify, false) }),
  })
  // Before the first success a failure is only something to show: it has `start_timeout` to get better.
  if (state.id === 'starting') {
    const hopelessAt = input.type === 'checked' ? null : (state.hopelessAt ?? now + hopelessMs)
    return step(known, { ...state, hopelessAt }, 'service.updated')
  }
  if (input.type === 'checked') return { instance: known, effects: [], event: 'service.updated' }
  if (!state.healthy) return { instance: known, effects: [], event: null }
  const failing = step(known, { ...state, healthy: false }, 'service.unhealthy')
  if (settings.onUnhealthy === 'ignore') return failing
  return { ...end(failing.instance, 'policy', settings, now), event: 'service.unhealthy' }
}

function exited(
  instance: Instance,
  input: MachineInput & { type: 'exited' },
  settings: MachineSettings,
  now: number,
): Step {
  const { state } = instance
  if (state.id !== 'starting' && state.id !== 'running' && state.id !== 'stopping') return unchanged(instance)
  const ordered = state.id === 'stopping'
  const exit: ServiceExit = {
    code: input.code,
    signal: input.signal,
    at: new Date(input.at).toISOString(),
    reason:
      ordered && state.killed
        ? `killed by SIGKILL: it did not stop in time`
        : (input.reason ?? withErrno(describeExit(input), instance)),
  }
  const stopping: InstanceState = {
    id: 'stopping',
    run: state.run,
    since: ordered ? state.since : now,
    exit,
    afterwards: ordered ? state.afterwards : instance.memory.wanted ? 'policy' : 'stop',
    signalled: ordered ? state.signalled : null,
    killed: ordered && state.killed,
  }
  const left: readonly Effect[] = !ordered && input.members > 0 ? [{ type: 'end', run: state.run }] : []
  // What it was when it ended decides about what comes next; see `emptied`.
  const healthOnEnd = settings.isTask && input.code === 0 ? taskHealth : instance.memory.health
  return { ...step(remember(instance, { exit, health: healthOnEnd }), stopping, 'service.exited'), effects: left }
}

const taskHealth: InstanceMemory['health'] = { source: 'process', message: 'Exited with code 0', output: null }

/** "exited with code 3", "killed by SIGSEGV". */
export function describeExit(exit: { readonly code: number | null; readonly signal: string | null }): string {
  return exit.signal === null ? `exited with code ${exit.code ?? 'unknown'}` : `killed by ${exit.signal}`
}

function whyEnded({ memory }: Instance): string {
  return memory.notify?.missedMs == null ? 'became unhealthy' : 'missed its watchdog'
}

/** What it reported by ERRNO is the better reason, when there is one. */
function withErrno(reason: string, { memory }: Instance): string {
  const errno = memory.notify?.errno ?? 0
  return errno === 0 ? reason : `${reason} (${describeErrno(errno)})`
}

function killed(instance: Instance): Step {
  if (instance.state.id !== 'stopping') return unchanged(instance)
  return {
    instance: { ...instance, state: { ...instance.state, killed: true } },
    effects: [],
    event: 'service.updated',
  }
}

function emptied(instance: Instance, survivors: readonly string[], settings: MachineSettings, now: number): Step {
  const { state } = instance
  if (state.id !== 'stopping') return unchanged(instance)
  const known = remember(instance, { survivors })
  if (state.afterwards !== 'policy') return afterwards(known, state.afterwards, now)
  return settle(known, state, settings, now)
}

function settle(
  instance: Instance,
  state: InstanceState & { id: 'stopping' },
  settings: MachineSettings,
  now: number,
): Step {
  const exit = state.exit ?? { code: null, signal: null, at: new Date(now).toISOString(), reason: 'exit not seen' }
  const verdict = afterExit({
    policy: settings.restart,
    exit,
    unhealthy: state.signalled === null ? null : whyEnded(instance),
    crashes: instance.memory.crashes,
    now,
  })
  switch (verdict.next) {
    case 'completed': {
      if (settings.hasToServe && instance.memory.readyAfterMs === null) {
        return giveUp(instance, `${exit.reason} before it was healthy`, settings, now)
      }
      const readyAfterMs = settings.isTask
        ? Math.max(0, Date.parse(exit.at) - state.run.startedAt)
        : instance.memory.readyAfterMs
      const done = remember(instance, { readyAfterMs, completedHash: state.run.hash })
      // It has served, and saw by itself that nobody needs it. One that never served would start and end for ever.
      const hasServed = !settings.isTask && instance.memory.readyAfterMs !== null
      if (settings.isOnRequest && hasServed) return step(done, { id: 'idle' }, 'service.idle')
      if (settings.isSite) return step(done, { id: 'serving' }, 'service.healthy')
      if (settings.schedule === null) return step(done, { id: 'completed' }, 'service.completed')
      return { ...schedule(done, null, settings, now), event: 'service.completed' }
    }
    case 'failed':
      return giveUp(remember(instance, { crashes: verdict.crashes }), verdict.reason, settings, now)
    case 'backoff':
      return step(
        remember(instance, { crashes: verdict.crashes }),
        { id: 'backoff', until: verdict.until, reason: verdict.reason },
        'service.backoff',
      )
    default:
      return unreachable(verdict)
  }
}

function lost(instance: Instance, isGone: boolean, settings: MachineSettings, now: number): Step {
  const { state, memory } = instance
  if (state.id !== 'starting' && state.id !== 'running' && state.id !== 'stopping') return unchanged(instance)
  const ordered = state.id === 'stopping' ? state : null
  const exit: ServiceExit = ordered?.exit ?? {
    code: null,
    signal: null,
    at: new Date(now).toISOString(),
    reason: 'ended while nothing watched over it',
  }
  // What ended by itself before is judged by that; anything else that is wanted only has to come back.
  const isJudged =
    ordered !== null && (ordered.exit !== null || ordered.afterwards === 'stop' || ordered.afterwards === 'idle')
  const stopping: InstanceState = {
    id: 'stopping',
    run: state.run,
    since: ordered?.since ?? now,
    exit: ordered?.exit ?? null,
    afterwards: isJudged ? ordered.afterwards : memory.wanted ? 'start' : 'stop',
    signalled: ordered?.signalled ?? null,
    killed: false,
  }
  const known = { ...remember(instance, { exit }), state: stopping }
  return isGone ? emptied(known, [], settings, now) : step(known, stopping, 'service.stopping')
}

function retire(instance: Instance): Step {
  const { state } = instance
  const unwanted = remember(instance, { wanted: false })
  switch (state.id) {
    case 'waiting':
    case 'backoff':
    case 'completed':
    case 'failed':
    case 'scheduled':
    case 'serving':
    case 'idle':
      return step(unwanted, { id: 'stopped' }, 'service.stopped')
    case 'stopping':
      return { instance: { ...unwanted, state: { ...state, afterwards: 'stop' } }, effects: [], event: null }
    case 'stopped':
    case 'starting':
    case 'running':
      return { instance: unwanted, effects: [], event: null }
    default:
      return unreachable(state)
  }
}

function end(
  instance: Instance,
  afterwards: 'policy' | 'stop' | 'start' | 'idle',
  settings: MachineSettings,
  now: number,
): Step {
  const { state } = instance
  if (state.id === 'stopping') {
    // Asked again: the keeper may have to hurry, or there may be something else to do afterwards.
    return {
      instance: { ...instance, state: { ...state, afterwards } },
      effects: [{ type: 'end', run: state.run }],
      event: null,
    }
  }
  if (state.id !== 'starting' && state.id !== 'running') return retire(instance)
  const stopping: InstanceState = {
    id: 'stopping',
    run: state.run,
    since: now,
    exit: null,
    afterwards,
    signalled: settings.stopSignal,
    killed: false,
  }
  return { ...step(instance, stopping, 'service.stopping'), effects: [{ type: 'end', run: state.run }] }
}

function due(instance: Instance, settings: MachineSettings, now: number): Step {
  const { state, memory } = instance
  const at = dueAt(state)
  if (at === null || now < at) return unchanged(instance)
  if (state.id === 'scheduled') {
    if (now - at > missedMs) return schedule(instance, state.failure, settings, now)
    return wait(remember(instance, { restarts: 0, crashes: [] }), now)
  }
  if (state.id === 'backoff') {
    return step(remember(instance, { restarts: memory.restarts + 1 }), { id: 'waiting', since: now }, 'service.waiting')
  }
  if (state.id !== 'starting') return unchanged(instance)
  return step(instance, { ...state, overdue: true }, 'service.unhealthy')
}

/** An order to be up begins a new count of restarts and crashes. */
function fresh(instance: Instance): Instance {
  const watch = { restarts: [], suspended: null }
  return remember(instance, { wanted: true, restarts: 0, crashes: [], survivors: [], watch })
}

function remember(instance: Instance, memory: Partial<InstanceMemory>): Instance {
  return { state: instance.state, memory: { ...instance.memory, ...memory } }
}

function step(instance: Instance, state: InstanceState, event: ServiceEventType): Step {
  return { instance: { state, memory: instance.memory }, effects: [], event }
}

function unchanged(instance: Instance): Step {
  return { instance, effects: [], event: null }
}
