// A notice for programs, in the shape of problem details (RFC 9457).
import { stripAnsi } from '../../lib/terminal-text.ts'
import type { Notice } from './notice.ts'

/** `type`, `title`, `status` and `detail` of every notice; what else is known under names of its own. Texts without terminal codes. Pure. */
export function noticeJson({ kind, title, status, detail, data }: Notice): string {
  const problem = { type: `urn:locald:${kind}`, title, status, ...(detail === '' ? {} : { detail }), ...data }
  const clean = (_key: string, value: unknown): unknown => (typeof value === 'string' ? stripAnsi(value) : value)
  return `${JSON.stringify(problem, clean, 2)}\n`
}
