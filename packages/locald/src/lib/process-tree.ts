// Which processes belong to which run.

/** How the processes of a run are recognised. All of it is inherited by children, each part by other means. */
export interface RunIdentity {
  /** The process that the run was started as; it leads its own session and process group. */
  readonly pid: number
  /** Start time of `pid` in clock ticks since boot: together with the pid it names one process for good. */
  readonly startTime: number
  /** Value of `LOCALD_RUN` in the environment of its processes. */
  readonly marker: string
  /** Timer slack of its processes in nanoseconds, which survives `env -i` and a double fork; null where unsupported. */
  readonly timerSlack: number | null
}
