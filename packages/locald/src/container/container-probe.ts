// How the health of a container is found out: by its HEALTHCHECK, by a listener inside, or by its being alive.
import type { ContainerInspectInfo } from 'dockerode'
import { timeLimit } from '../lib/time-limit.ts'
import { execInside } from './container-exec.ts'
import type { HealthTest, PublishedPort } from './container-order.ts'
import type { ContainerRun } from './container-run.ts'
import { messageOf } from './engine.ts'
import { innerState, ownPid } from './inner-listeners.ts'

/** What is asked of a container; the plan's part of it. */
export interface ContainerProbeSpec {
  readonly run: string
  /** Start of the run, milliseconds since the epoch. */
  readonly startedAt: number
  readonly ports: readonly PublishedPort[]
  /** An explicit check: a command (a HEALTHCHECK), a listener on a port, READY=1. Absent: what the image says, or inferred. */
  readonly check?:
    | { readonly type: 'test'; readonly test: HealthTest }
    | (Timing & { readonly type: 'tcp'; readonly port?: number })
    | (Timing & { readonly type: 'notify' })
  readonly wasHealthy: boolean
}

interface Timing {
  readonly intervalMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

export type ProbeResult =
  | { readonly ok: true; readonly message: string }
  | { readonly ok: false; readonly message: string; readonly output?: string; readonly retryInMs?: number }

/** A check, and when it is worth asking again; whoever runs it brings the loop. */
export interface ContainerProbe {
  readonly source: 'docker' | 'tcp' | 'process' | 'notify'
  readonly check: (signal: AbortSignal) => Promise<ProbeResult>
  /** Between checks before the first success, from one to the other; null: only as results ask for. */
  readonly pace: { readonly fromMs: number; readonly toMs: number } | null
  /** Once healthy. Infinity: only when `changed` is called. */
  readonly intervalMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** Whether READY=1 counts: nothing explicit, and no HEALTHCHECK, decides. */
  readonly takesNotify: boolean
  /** Calls back when another answer is to be expected. */
  readonly watch: (changed: () => void) => Disposable
}

const inferredTiming = { intervalMs: 10_000, retries: 3, startPeriodMs: 0 } as const
/** A container that has lived for so long is taken to be up. */
const aliveMs = 1000
const commandPace = { fromMs: 50, toMs: 250 } as const
const listenerPace = { fromMs: 10, toMs: 50 } as const
/** The engine's own default. */
const defaultTimeoutMs = 30_000
const nothing: Disposable = { [Symbol.dispose]: () => undefined }

/** Looks at the container for what its image says. */
export async function probeFor(run: ContainerRun, spec: ContainerProbeSpec): Promise<ContainerProbe> {
  const { check } = spec
  if (check?.type === 'tcp') return await listenerProbe(run, spec, check)
  if (check?.type === 'notify') return notifyProbe(check)
  const info = await run.inspect()
  const own = testOf(info)
  const test = check?.test ?? own
  if (test !== null) return healthcheckProbe(run, spec, { test, info, isEngines: own !== null && isSame(test, own) })
  if (spec.ports.length > 0) return await listenerProbe(run, spec, inferredTiming)
  return aliveProbe(spec)
}

/** The HEALTHCHECK of a container, its image's or its own; null: none. */
function testOf({ Config }: ContainerInspectInfo): HealthTest | null {
  const { Test: test, Interval, Timeout, Retries, StartPeriod } = Config.Healthcheck ?? {}
  const words = typeof test === 'string' ? [test] : (test ?? [])
  if (words.length === 0 || words[0] === 'NONE') return null
  return {
    test: words,
    intervalMs: milliseconds(Interval) ?? 30_000,
    timeoutMs: milliseconds(Timeout) ?? defaultTimeoutMs,
    retries: Retries ?? 3,
    startPeriodMs: milliseconds(StartPeriod) ?? 0,
  }
}

/** Of nanoseconds; undefined where the engine's default holds. */
function milliseconds(nanoseconds: number | undefined): number | undefined {
  return nanoseconds === undefined || nanoseconds === 0 ? undefined : nanoseconds / 1e6
}

function isSame(one: HealthTest, other: HealthTest): boolean {
  return (
    JSON.stringify(one.test) === JSON.stringify(other.test) &&
    one.intervalMs === other.intervalMs &&
    one.retries === other.retries
  )
}

/**
 * While starting, the test is executed here, so that the first answer does not wait for the engine's interval; afterwards the engine
 * tells when it thinks otherwise. A check that was changed since the container was created is no business of the engine's: it
 * goes on being executed here.
 */
function healthcheckProbe(
  run: ContainerRun,
  spec: ContainerProbeSpec,
  {
    test,
    info,
    isEngines,
  }: { readonly test: HealthTest; readonly info: ContainerInspectInfo; readonly isEngines: boolean },
): ContainerProbe {
  const argv = argvOf(test, info)
  let isStarting = !spec.wasHealthy
  const execute = async (signal: AbortSignal): Promise<ProbeResult> => {
    using limit = timeLimit(test.timeoutMs, signal)
    try {
      const { code, output } = await execInside(run.connection.engine, run.identity?.id ?? '', argv, limit.signal)
      if (code === 0) return { ok: true, message: 'The HEALTHCHECK succeeded' }
      return { ok: false, message: `The HEALTHCHECK exited with code ${code}`, ...(output === '' ? {} : { output }) }
    } catch (error) {
      return {
        ok: false,
        message: limit.isOver
          ? `The HEALTHCHECK took longer than ${test.timeoutMs} ms`
          : `Cannot run the HEALTHCHECK: ${messageOf(error)}`,
      }
    }
  }
  return {
    source: 'docker',
    check: async (signal) => {
      if (!isStarting && isEngines) return await engineOpinion(run)
      const result = await execute(signal)
      if (result.ok) isStarting = false
      return result
    },
    pace: commandPace,
    intervalMs: isEngines ? Infinity : test.intervalMs,
    // The engine has counted already.
    retries: isEngines ? 1 : test.retries,
    startPeriodMs: isEngines ? 0 : test.startPeriodMs,
    takesNotify: false,
    watch: (changed) => (isEngines ? run.onHealth(changed) : nothing),
  }
}

async function engineOpinion(run: ContainerRun): Promise<ProbeResult> {
  try {
    const { Health: health } = (await run.inspect()).State
    if (health?.Status !== 'unhealthy') return { ok: true, message: 'The HEALTHCHECK succeeded' }
    const last = health.Log?.at(-1)
    const output = last?.Output?.trim() ?? ''
    const message = `The HEALTHCHECK failed ${health.FailingStreak} times in a row${last === undefined ? '' : `, last with code ${last.ExitCode}`}`
    return { ok: false, message, ...(output === '' ? {} : { output }) }
  } catch (error) {
    return { ok: false, message: `The Docker engine does not tell its health: ${messageOf(error)}` }
  }
}

/** https://docs.docker.com/reference/dockerfile/#healthcheck */
function argvOf({ test }: HealthTest, { Config }: ContainerInspectInfo): readonly string[] {
  const [kind, ...words] = test
  if (kind !== 'CMD-SHELL') return words
  const { Shell: shell } = Config as { Shell?: readonly string[] }
  return [...(shell ?? ['/bin/sh', '-c']), ...words]
}

async function listenerProbe(
  run: ContainerRun,
  spec: ContainerProbeSpec,
  check: Timing & { readonly port?: number },
): Promise<ContainerProbe> {
  const { intervalMs, retries, startPeriodMs } = check
  const port = spec.ports.find(
    (one) => check.port === undefined || one.container === check.port || one.host === check.port,
  )
  const number = port?.container ?? check.port
  const info =
    run.identity?.pid === null || run.identity === null ? null : await ownPid(run.identity.pid, run.identity.id)
  return {
    source: 'tcp',
    check: async () => {
      if (port === undefined) {
        return {
          ok: false,
          message:
            number === undefined
              ? 'The check has no port: the container publishes none'
              : `The container does not publish port ${number}`,
        }
      }
      const state = await innerState(info, port)
      if (state.type === 'listening') return { ok: true, message: `Listens on port ${port.container} in the container` }
      if (state.type === 'silent')
        return { ok: false, message: `Nothing listens on port ${port.container} in the container` }
      return {
        ok: false,
        message: `Listens on ${state.address}:${port.container} in the container, where nobody outside can reach it; let it listen on 0.0.0.0`,
      }
    },
    pace: listenerPace,
    intervalMs,
    retries,
    startPeriodMs,
    takesNotify: spec.check === undefined,
    watch: () => nothing,
  }
}

function notifyProbe({ intervalMs, retries, startPeriodMs }: Timing): ContainerProbe {
  return {
    source: 'notify',
    check: async () => ({ ok: false, message: 'Did not send READY=1 yet' }),
    pace: null,
    intervalMs,
    retries,
    startPeriodMs,
    takesNotify: true,
    watch: () => nothing,
  }
}

function aliveProbe({ startedAt, wasHealthy }: ContainerProbeSpec): ContainerProbe {
  return {
    source: 'process',
    check: async () => {
      const age = Date.now() - startedAt
      if (age >= aliveMs || wasHealthy) return { ok: true, message: 'Runs for more than 1 s' }
      return { ok: false, message: 'Runs for less than 1 s', retryInMs: Math.min(aliveMs, aliveMs - age) }
    },
    pace: null,
    intervalMs: Infinity,
    retries: 1,
    startPeriodMs: 0,
    takesNotify: true,
    watch: () => nothing,
  }
}
