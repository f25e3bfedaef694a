// What is asked of a container, to find out its health, and what comes of it.
import type { HealthTest, PublishedPort } from './container-order.ts'

/** What is asked of a container; the plan's part of it. */
export interface ContainerProbeSpec {
  readonly run: string
  /** Start of the run, milliseconds since the epoch. */
  readonly startedAt: number
  readonly ports: readonly PublishedPort[]
  /** An explicit check: a command (a HEALTHCHECK), a listener on a port, READY=1. Absent: what the image says, or inferred. */
  readonly check?:
    | { readonly type: 'test'; readonly test: HealthTest }
    | (ProbeTiming & { readonly type: 'tcp'; readonly port?: number })
    | (ProbeTiming & { readonly type: 'notify' })
  readonly wasHealthy: boolean
}

export interface ProbeTiming {
  readonly intervalMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

export type ProbeResult =
  /** `retryInMs`: when it is worth checking again, should nothing else say so. */
  | { readonly ok: true; readonly message: string; readonly retryInMs?: number }
  | { readonly ok: false; readonly message: string; readonly output?: string; readonly retryInMs?: number }

/** A check, and when it is worth asking again; whoever runs it brings the loop. */
export interface ContainerProbe {
  readonly source: 'docker' | 'tcp' | 'process' | 'notify'
  readonly check: (signal: AbortSignal) => Promise<ProbeResult>
  /** Between checks before the first success, from one to the other; null: only as results ask for. */
  readonly pace: { readonly fromMs: number; readonly toMs: number } | null
  /** Once healthy. Infinity: only when `changed` is called, or as results ask for. */
  readonly intervalMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** Whether READY=1 counts: nothing explicit, and no HEALTHCHECK, decides. */
  readonly takesNotify: boolean
  /** Calls back when another answer is to be expected. */
  readonly watch: (changed: () => void) => Disposable
}
