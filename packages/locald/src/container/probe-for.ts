// How the health of a container is found out: by its HEALTHCHECK, by a listener inside, or by its being alive.
import type { ContainerProbe, ContainerProbeSpec, ProbeTiming } from './container-probe.ts'
import type { ContainerRun } from './container-run.ts'
import { healthcheckProbe, isSameTest, testOf } from './healthcheck-probe.ts'
import { innerState, ownPid } from './inner-listeners.ts'

const inferredTiming = { intervalMs: 10_000, retries: 3, startPeriodMs: 0 } as const
/** A container that has lived for so long is taken to be up. */
const aliveMs = 1000
const listenerPace = { fromMs: 10, toMs: 50 } as const
const nothing: Disposable = { [Symbol.dispose]: () => undefined }

/** Looks at the container for what its image says. */
export async function probeFor(run: ContainerRun, spec: ContainerProbeSpec): Promise<ContainerProbe> {
  const { check } = spec
  if (check?.type === 'tcp') return await listenerProbe(run, spec, check)
  if (check?.type === 'notify') return notifyProbe(check)
  const info = await run.inspect()
  const own = testOf(info)
  const test = check?.test ?? own
  if (test !== null)
    return healthcheckProbe(run, spec, { test, info, isEngines: own !== null && isSameTest(test, own) })
  if (spec.ports.length > 0) return await listenerProbe(run, spec, inferredTiming)
  return aliveProbe(spec)
}

async function listenerProbe(
  run: ContainerRun,
  spec: ContainerProbeSpec,
  check: ProbeTiming & { readonly port?: number },
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

function notifyProbe({ intervalMs, retries, startPeriodMs }: ProbeTiming): ContainerProbe {
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
