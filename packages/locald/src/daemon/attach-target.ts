import type { LogSource } from '../logs/log-reader.ts'
import type { Instance } from '../supervisor/instance.ts'

/** An instance that somebody wants to attach to. */
export interface AttachTarget {
  /** Project id. */
  readonly project: string
  readonly service: string
  readonly instance: number
  readonly tty: boolean
  readonly isContainer: boolean
  readonly source: LogSource
  /** The instance as it is now; undefined when it was removed. */
  readonly current: () => Instance | undefined
}
