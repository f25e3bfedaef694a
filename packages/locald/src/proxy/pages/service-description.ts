// What is known of a service, as far as its pages show it: plain data that the daemon makes and the proxy's thread reads.
import type { HealthStatus, ServiceExit, ServiceState } from '@locald/protocol'

export interface ServiceDescription {
  /** Its label: `web`, or `web.2` with replicas. */
  readonly service: string
  /** The project's name. */
  readonly project: string
  readonly state: ServiceState
  readonly health: HealthStatus
  /** When what it does now began, ISO 8601; null: not known. */
  readonly since: string | null
  /** The conclusion in a sentence, as `locald why` tells it. */
  readonly summary: string
  /** From this service down to the one that everything waits for; this one first. */
  readonly chain: readonly DescribedLink[]
  /** How the last run ended; null when none has, or it runs. */
  readonly exit: ServiceExit | null
  /** The line that tells most of why; null when none does. */
  readonly evidence: string | null
  /** Whose lines `lines` are: the service itself, or the one it waits for. */
  readonly linesOf: string
  /** The latest, oldest first, with the terminal codes they were written with. */
  readonly lines: readonly DescribedLine[]
  /** Where requests would go; null when it has no port. */
  readonly port: number | null
  /** Where it listens, if not there. */
  readonly foundPorts: readonly number[]
  /** What to do, the likeliest to help first. */
  readonly steps: readonly DescribedStep[]
}

export interface DescribedLink {
  readonly service: string
  readonly state: ServiceState
  readonly reason: string
}

export interface DescribedLine {
  /** ISO 8601. */
  readonly at: string
  readonly text: string
}

export interface DescribedStep {
  /** For people, without a full stop. */
  readonly text: string
  /** What to type for it; null when there is nothing to type. */
  readonly command: string | null
}
