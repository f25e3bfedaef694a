// A monitor whose check has to be prepared first: what that needs (the service's env files) may be missing just now.
import type { HealthSource } from '@locald/protocol'
import { CheckLoop } from './check-loop.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import type { CheckRecord, HealthMonitor, HealthReport } from './monitor.ts'

/** What is known of the check before it is prepared. */
export interface DeferredCheck {
  readonly source: HealthSource
  readonly intervalMs: number
  readonly retries: number
  /** Milliseconds since the epoch; failures before it do not count. */
  readonly countFrom: number
  readonly wasHealthy: boolean
}

const pace = { fromMs: 250, toMs: 2000 } as const

/**
 * The monitor that `start` makes of what `prepare` brings. As long as `prepare` rejects, that is how the check fails, and it is tried
 * again at the check's own interval.
 */
export function startDeferredMonitor<Prepared>(
  known: DeferredCheck,
  prepare: () => Promise<Prepared>,
  start: (prepared: Prepared) => HealthMonitor,
  report: (report: HealthReport) => void,
  clock: Clock = systemClock,
): HealthMonitor {
  let monitor: HealthMonitor | null = null
  const loop = new CheckLoop({
    check: async (signal) => {
      try {
        const prepared = await prepare()
        if (!signal.aborted) monitor = start(prepared)
        loop[Symbol.dispose]()
      } catch (error) {
        return { ok: false, source: known.source, message: error instanceof Error ? error.message : String(error) }
      }
      return { ok: false, source: known.source, message: 'Prepared' } // nobody hears it any more
    },
    report,
    clock,
    random: Math.random,
    pace,
    ...known,
  })
  loop.trigger()
  return {
    get source() {
      return monitor?.source ?? loop.source
    },
    get lastCheck(): CheckRecord | null {
      return monitor?.lastCheck ?? loop.last
    },
    notified: () => monitor?.notified(),
    [Symbol.dispose]: () => {
      loop[Symbol.dispose]()
      monitor?.[Symbol.dispose]()
    },
  }
}
