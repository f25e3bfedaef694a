// What one check of the doctor says.
import type { Finding } from '@locald/protocol'

export type Verdict = Omit<Finding, 'id'>

export function fine(message: string): Verdict {
  return { severity: 'ok', message, explanation: null, fix: null }
}

export interface Trouble {
  readonly explanation: string
  readonly fix?: string
}

export function note(message: string, { explanation, fix }: Trouble): Verdict {
  return { severity: 'note', message, explanation, fix: fix ?? null }
}

export function warning(message: string, { explanation, fix }: Trouble): Verdict {
  return { severity: 'warning', message, explanation, fix: fix ?? null }
}

export function fault(message: string, { explanation, fix }: Trouble): Verdict {
  return { severity: 'error', message, explanation, fix: fix ?? null }
}
