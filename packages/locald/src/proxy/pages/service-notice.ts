// What there is to say instead of a service's own answer, by the state that it is in.
import { mostInformations } from '../limits.ts'
import { plainNotice } from './notice.ts'
import type { Notice, NoticeFact, NoticeWatch } from './notice.ts'
import type { DescribedStep, ServiceDescription } from './service-description.ts'

const soon: NoticeWatch = { refreshS: 2, settleMs: 0 }
/** Somebody is reading, and what is read changes only when somebody does something. */
const later: NoticeWatch = { refreshS: 10, settleMs: 0 }
/** It counts as up and did not answer all the same: looking again at once would be done again and again. */
const unsettled: NoticeWatch = { refreshS: 5, settleMs: 2000 }

/** The page of a service that cannot take requests now. Pure. */
export function serviceNotice(description: ServiceDescription): Notice {
  const { state, health } = description
  switch (state) {
    case 'failed':
      return failed(description, `${description.service} has failed`)
    case 'running':
      // It has become healthy while it was asked about.
      if (health !== 'unhealthy') return busy(description, `${description.service} is up`)
      return failed(description, `${description.service} is unhealthy`)
    case 'starting':
      if (health === 'unhealthy') return failed(description, `${description.service} is not ready`)
      return busy(description, `${description.service} is starting`)
    case 'waiting':
    case 'idle':
      return busy(description, `${description.service} is starting`)
    case 'stopping':
      return busy(description, `${description.service} is stopping`)
    case 'backoff':
      return busy(description, `${description.service} is started again in a moment`)
    case 'stopped':
      return stopped(description, `${description.service} is stopped`)
    case 'completed':
    case 'scheduled':
      return stopped(description, `${description.service} is not running`)
    default:
      return stopped(description, `${description.service} is not running`)
  }
}

/** What happened to a request that was on its way to a service that counts as up. */
export type Trouble = 'refused' | 'ended' | 'malformed' | 'undecided' | 'timeout'

const troubles: Readonly<Record<Trouble, { readonly status: number; readonly detail: string }>> = {
  refused: { status: 502, detail: 'It runs, but accepts no connection on its port' },
  ended: { status: 502, detail: 'It ended the connection before it had answered' },
  malformed: { status: 502, detail: 'What it answered is not HTTP' },
  undecided: {
    status: 502,
    detail: `It sent more than ${mostInformations} informational answers (1xx), and none that is final`,
  },
  timeout: { status: 504, detail: 'It was not ready in time for this request' },
}

/** What is said of it when nothing else is known of the service. */
export function detailOf(trouble: Trouble): string {
  return troubles[trouble].detail
}

/** The page of a service that counts as up, or was waited for in vain. Pure. */
export function troubleNotice(description: ServiceDescription, trouble: Trouble): Notice {
  const { status, detail } = troubles[trouble]
  return {
    ...serviceParts(description),
    kind: 'service-not-answering',
    status,
    tone: 'bad',
    title: `${description.service} does not answer`,
    detail,
    watch: unsettled,
  }
}

/** An on-request service that a page of another site asked for: that starts nothing. Pure. */
export function otherSiteNotice(description: ServiceDescription): Notice {
  return {
    ...plainNotice({
      kind: 'started-by-own-site-only',
      status: 503,
      tone: 'calm',
      title: `${description.service} is not running`,
      detail: 'It is started on request, but not by a request that a page of another site has made',
    }),
    steps: [{ text: 'Open its address yourself, or start it', command: `locald up ${description.service}` }],
    project: description.project,
    data: { service: description.service, project: description.project, state: description.state },
  }
}

function busy(description: ServiceDescription, title: string): Notice {
  const waited = description.chain.at(-1)
  const isWaiting = waited !== undefined && waited.service !== description.service
  const parts = serviceParts(description)
  const hasCrashed = description.state === 'backoff'
  return {
    ...parts,
    kind: 'service-starting',
    status: 503,
    tone: 'busy',
    title,
    detail: isWaiting ? `It waits for ${waited.service}` : hasCrashed ? whyOf(description) : (waited?.reason ?? ''),
    // Nothing has to be done about what is on its way.
    steps: hasCrashed ? parts.steps : [],
    watch: soon,
  }
}

function failed(description: ServiceDescription, title: string): Notice {
  return {
    ...serviceParts(description),
    kind: 'service-failed',
    status: 502,
    tone: 'bad',
    title,
    detail: whyOf(description),
    watch: later,
  }
}

/** The most telling of what is known. */
function whyOf({ evidence, foundPorts, port, chain, summary }: ServiceDescription): string {
  if (foundPorts.length > 0 && port !== null) return `It listens on port ${foundPorts.join(', ')}, not on ${port}`
  return evidence ?? chain.at(-1)?.reason ?? summary
}

function stopped(description: ServiceDescription, title: string): Notice {
  const own: DescribedStep = { text: 'Start it', command: `locald up ${description.service}` }
  const parts = serviceParts(description)
  return {
    ...parts,
    kind: 'service-stopped',
    status: 503,
    tone: 'calm',
    title,
    detail: '',
    // What it wrote when it still ran is no answer to why it does not.
    lines: [],
    steps: parts.steps.length === 0 ? [own] : parts.steps,
    watch: later,
  }
}

/** What is the same in every notice about a service. */
function serviceParts(
  description: ServiceDescription,
): Pick<Notice, 'facts' | 'chain' | 'lines' | 'linesOf' | 'steps' | 'since' | 'project' | 'data'> {
  const { service, project, state, health, since, summary, chain, exit, evidence, port, foundPorts, lines, steps } =
    description
  return {
    facts: factsOf(description),
    chain: chain.length > 1 ? chain : [],
    lines,
    linesOf: description.linesOf,
    steps,
    since,
    project,
    data: {
      service,
      project,
      state,
      health,
      since,
      summary,
      waiting_for: chain.slice(1),
      exit,
      evidence,
      port,
      listening_ports: foundPorts,
      last_lines: { service: description.linesOf, lines },
      advice: steps,
    },
  }
}

function factsOf({ state, exit, port, foundPorts }: ServiceDescription): readonly NoticeFact[] {
  const facts: NoticeFact[] = []
  const isDown = state === 'failed' || state === 'backoff' || state === 'completed'
  if (isDown && exit !== null) {
    const { code, signal } = exit
    facts.push(
      code === null ? { name: 'Ended by', value: signal ?? exit.reason } : { name: 'Exit code', value: String(code) },
    )
  }
  if (foundPorts.length > 0 && port !== null) {
    facts.push({ name: 'Expected on port', value: String(port) })
    facts.push({ name: 'Listens on', value: foundPorts.join(', ') })
  }
  return facts
}
