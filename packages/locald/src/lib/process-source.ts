// What a platform tells about its processes.

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** 0 where the platform does not tell. */
  readonly session: number
  /** Clock ticks since boot on Linux, milliseconds since the epoch (whole seconds) on macOS. */
  readonly startTime: number
  /** The state's letter in `ps`: R, S, D, T, Z. */
  readonly state: string
  /** False for zombies: they hold a pid and nothing else. */
  readonly alive: boolean
  /** Name of the program, cut to 15 characters on Linux. */
  readonly name: string
}

export type ProcessTable = ReadonlyMap<number, ProcessEntry>

/** What a process carries from the run that started it; null where it cannot be read. */
export interface ProcessEvidence {
  readonly marker: string | null
  readonly lockLimit: number | null
}

export interface ProcessSource {
  read(): ProcessTable
  /** One process, null when there is none of that pid. Zombies count. */
  entry(pid: number): ProcessEntry | null
  evidence(pid: number): ProcessEvidence
  /** The users that a process acts for, empty when that cannot be seen. */
  uids(pid: number): readonly number[]
  startTime(pid: number): number | null
  commandLine(entry: ProcessEntry): string
  /** This moment in the unit of `startTime`. */
  now(): number
}

/** Name of the variable that marks the processes of a run. */
export const markerVariable = 'LOCALD_RUN'
