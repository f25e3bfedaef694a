// What a page of the proxy says, before it is given a form: HTML for people, JSON and plain text for programs.
import type { DescribedLine, DescribedLink, DescribedStep } from './service-description.ts'

/** What kind of notice it is, for programs: the end of the `type` of the JSON form. */
export type NoticeKind =
  | 'service-starting'
  | 'service-failed'
  | 'service-stopped'
  | 'service-not-answering'
  | 'started-by-own-site-only'
  | 'unknown-host'
  | 'loop'
  | 'request-refused'

export interface Notice {
  readonly kind: NoticeKind
  /** The HTTP status. */
  readonly status: number
  readonly tone: 'busy' | 'bad' | 'calm'
  /** A few words, without a full stop. */
  readonly title: string
  /** A sentence or two without a full stop; empty: the title says it all. */
  readonly detail: string
  /** Name and value of what is worth seeing at a glance. */
  readonly facts: readonly NoticeFact[]
  readonly chain: readonly DescribedLink[]
  readonly lines: readonly DescribedLine[]
  /** Whose lines they are. */
  readonly linesOf: string
  readonly steps: readonly DescribedStep[]
  /** When it began, ISO 8601; shown as the time that has gone by. */
  readonly since: string | null
  /** Null: what it says does not change by itself, so that nobody need look again. */
  readonly watch: NoticeWatch | null
  /** Named in the page's head and foot; null: not to be told. */
  readonly project: string | null
  /** More members of the JSON form. */
  readonly data: Readonly<Record<string, unknown>>
}

export interface NoticeFact {
  readonly name: string
  readonly value: string
}

export interface NoticeWatch {
  /** How often to look again without scripts, in seconds; the `Retry-After` of a busy notice. */
  readonly refreshS: number
  /** How long to wait before looking again once the service is said to be up, in milliseconds. */
  readonly settleMs: number
}

/** The same as a page that does not load itself again, and says why. Pure. */
export function withoutReload(notice: Notice, reason: string): Notice {
  if (notice.watch === null) return notice
  return { ...notice, watch: null, steps: [...notice.steps, { text: reason, command: null }] }
}

/** A notice of which all is said by its title, its detail and what to do. */
export function plainNotice(
  essentials: Pick<Notice, 'kind' | 'status' | 'tone' | 'title' | 'detail'> & Partial<Notice>,
): Notice {
  return {
    facts: [],
    chain: [],
    lines: [],
    linesOf: '',
    steps: [],
    since: null,
    watch: null,
    project: null,
    data: {},
    ...essentials,
  }
}
