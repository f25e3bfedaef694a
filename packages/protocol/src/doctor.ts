// What `locald doctor` finds, as `doctor --json` prints it. Documented in docs/doctor.md.

/** Everything that is looked at, in the order in which it is told. */
export const findingIds = [
  'node',
  'directories',
  'server',
  'server-version',
  'server-warnings',
  'proxy',
  'projects',
  'ports',
  'names-localhost',
  'names-other',
  'hosts-file',
  'dns',
  'trust',
  'clock',
  'docker',
  'open-files',
  'file-watches',
] as const

export type FindingId = (typeof findingIds)[number]

/** `note`: works, but could be better; nothing is wrong. */
export type Severity = 'ok' | 'note' | 'warning' | 'error'

export interface Finding {
  readonly id: FindingId
  readonly severity: Severity
  /** One sentence. */
  readonly message: string
  /** Why that matters; null where nothing is to be done. */
  readonly explanation: string | null
  /** A command that mends it; null when there is none. */
  readonly fix: string | null
}

/** `doctor --json`. */
export interface DoctorReport {
  /** Whether there is neither an error nor a warning. */
  readonly ok: boolean
  readonly findings: readonly Finding[]
}
