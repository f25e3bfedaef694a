// The HEALTHCHECK of a container: run by locald until it first succeeds, then by the engine, which tells of changes.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerInspectInfo } from 'dockerode'
import { timeLimit } from '../lib/time-limit.ts'
import type { HealthTest } from './container-order.ts'
import type { ContainerProbe, ContainerProbeSpec, ProbeResult } from './container-probe.ts'
import type { ContainerRun } from './container-run.ts'
import { messageOf, statusOf } from './engine.ts'

/** The engine's own default. */
const defaultTimeoutMs = 30_000
const pace = { fromMs: 50, toMs: 250 } as const
/** An engine that is away for so long is no hiccup. */
const patienceMs = 10_000
const askAgainMs = 250
/** What is in the way of a check is looked at so often. */
const retryInMs = 1000
const fine = { ok: true, message: 'The HEALTHCHECK succeeded' } as const

/** The HEALTHCHECK of a container, its image's or its own; null: none. */
export function testOf({ Config }: ContainerInspectInfo): HealthTest | null {
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

export function isSameTest(one: HealthTest, other: HealthTest): boolean {
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
export function healthcheckProbe(
  run: ContainerRun,
  spec: ContainerProbeSpec,
  {
    test,
    info,
    isEngines,
  }: { readonly test: HealthTest; readonly info: ContainerInspectInfo; readonly isEngines: boolean },
): ContainerProbe {
  const own = async (signal: AbortSignal): Promise<OwnResult> => await execute(run, test, argvOf(test, info), signal)
  const shared = new SharedTest(run, own, { intervalMs: test.intervalMs, isStarting: !spec.wasHealthy })
  return {
    source: 'docker',
    check: async (signal) => await (isEngines ? shared.check(signal) : own(signal)),
    pace,
    intervalMs: isEngines ? Infinity : test.intervalMs,
    // The engine has counted already.
    retries: isEngines ? 1 : test.retries,
    startPeriodMs: isEngines ? 0 : test.startPeriodMs,
    takesNotify: false,
    watch: (changed) => (isEngines ? run.onHealth(changed) : { [Symbol.dispose]: () => undefined }),
  }
}

/** `isBusy`: an earlier execution is not over. */
type OwnResult = ProbeResult & { readonly isBusy?: true }

async function execute(
  run: ContainerRun,
  { timeoutMs }: HealthTest,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<OwnResult> {
  using limit = timeLimit(timeoutMs, signal)
  try {
    const result = await run.execute(argv, limit.signal)
    if (result === null) {
      return { ok: false, isBusy: true, message: 'The HEALTHCHECK still runs, long after its time-out', retryInMs }
    }
    const { code, output } = result
    if (code === 0) return fine
    return { ok: false, message: `The HEALTHCHECK exited with code ${code}`, ...(output === '' ? {} : { output }) }
  } catch (error) {
    return {
      ok: false,
      message: limit.isOver
        ? `The HEALTHCHECK took longer than ${timeoutMs} ms`
        : `Cannot run the HEALTHCHECK: ${messageOf(error)}`,
    }
  }
}

/** A test that both run: locald first, then the engine alone, once it does not contradict. */
class SharedTest {
  readonly #run: ContainerRun
  readonly #own: (signal: AbortSignal) => Promise<OwnResult>
  readonly #intervalMs: number
  /**
   * `disputed`: it succeeded here, and the engine has still the opinion of before, or is not known to have another. The engine tells
   * only of changes, so that one that goes on thinking so would never be heard.
   */
  #phase: 'own' | 'disputed' | 'engine'

  constructor(
    run: ContainerRun,
    own: (signal: AbortSignal) => Promise<OwnResult>,
    { intervalMs, isStarting }: { readonly intervalMs: number; readonly isStarting: boolean },
  ) {
    this.#run = run
    this.#own = own
    this.#intervalMs = intervalMs
    this.#phase = isStarting ? 'own' : 'disputed'
  }

  async check(signal: AbortSignal): Promise<ProbeResult> {
    if (this.#phase === 'own') return await this.#first(signal)
    if (this.#phase === 'disputed') return await this.#settle(signal)
    return opinionOf(await this.#ask(signal))
  }

  async #first(signal: AbortSignal): Promise<ProbeResult> {
    const result = await this.#own(signal)
    if (!result.ok && result.isBusy !== true) return result
    const health = await this.#ask(signal)
    // Only one of the two can hang.
    if (!result.ok) return health.status === 'healthy' ? this.#handOver(health) : result
    if (health.status !== 'unhealthy' && health.status !== 'unknown') return this.#handOver(health)
    this.#phase = 'disputed'
    return { ...fine, retryInMs: this.#intervalMs }
  }

  async #settle(signal: AbortSignal): Promise<ProbeResult> {
    const health = await this.#ask(signal)
    if (health.status === 'unknown') return opinionOf(health)
    if (health.status !== 'unhealthy') return this.#handOver(health)
    const result = await this.#own(signal)
    return result.ok ? { ...fine, retryInMs: this.#intervalMs } : this.#handOver(health)
  }

  #handOver(health: EngineHealth): ProbeResult {
    this.#phase = 'engine'
    return opinionOf(health)
  }

  /** An engine that does not answer is asked for a while: it is not the container's fault. */
  async #ask(signal: AbortSignal): Promise<EngineHealth> {
    for (const since = performance.now(); ;) {
      try {
        const { Health: health } = (await this.#run.inspect()).State
        return { status: health?.Status ?? 'none', ...(health === undefined ? {} : { health }) }
      } catch (error) {
        const isAway = statusOf(error) !== 404 && performance.now() - since < patienceMs
        if (!isAway || signal.aborted) return { status: 'unknown', error }
        await sleep(askAgainMs, undefined, { ref: false })
      }
    }
  }
}

interface EngineHealth {
  /** The engine's words; `unknown`: it cannot be asked. */
  readonly status: string
  readonly health?: NonNullable<ContainerInspectInfo['State']['Health']>
  readonly error?: unknown
}

function opinionOf({ status, health, error }: EngineHealth): ProbeResult {
  if (status === 'unknown') {
    return { ok: false, message: `The Docker engine does not tell its health: ${messageOf(error)}`, retryInMs }
  }
  if (health === undefined || status !== 'unhealthy') return fine
  const last = health.Log?.at(-1)
  const output = last?.Output?.trim() ?? ''
  const code = last === undefined ? '' : `, last with code ${last.ExitCode}`
  const message = `The HEALTHCHECK failed ${health.FailingStreak} times in a row${code}`
  return { ok: false, message, ...(output === '' ? {} : { output }) }
}

/** https://docs.docker.com/reference/dockerfile/#healthcheck */
function argvOf({ test }: HealthTest, { Config }: ContainerInspectInfo): readonly string[] {
  const [kind, ...words] = test
  if (kind !== 'CMD-SHELL') return words
  const { Shell: shell } = Config as { Shell?: readonly string[] }
  return [...(shell ?? ['/bin/sh', '-c']), ...words]
}
