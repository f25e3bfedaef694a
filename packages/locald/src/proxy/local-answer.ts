// What the proxy itself answers, where no service does: a notice in the form that suits who asked.
import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { BodyLength } from './message-body.ts'
import { eventsPath } from './pages/notice-events.ts'
import { noticeResponse } from './pages/notice-response.ts'
import { plainNotice, withoutReload } from './pages/notice.ts'
import type { Notice } from './pages/notice.ts'
import { isNavigation as isNavigationOf, preferredFormat } from './pages/preferred-format.ts'
import type { NoticeFormat, RequestHeaders } from './pages/preferred-format.ts'
import { loopNotice, refusedNotice, unknownHostNotice } from './pages/refusal-notices.ts'
import type { ServiceDescription } from './pages/service-description.ts'
import { detailOf, otherSiteNotice, serviceNotice, troubleNotice } from './pages/service-notice.ts'
import type { Trouble } from './pages/service-notice.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import type { ServiceTarget } from './route-table.ts'

export type Situation =
  | { readonly type: 'refused'; readonly status: number; readonly reason: string }
  | { readonly type: 'unknown-host'; readonly host: string }
  | { readonly type: 'loop'; readonly target: ServiceTarget }
  | ServiceSituation

export interface ServiceSituation {
  readonly type: 'service'
  readonly target: ServiceTarget
  /** Null: the daemon knows no such service, or was too slow. */
  readonly description: ServiceDescription | null
  readonly cause: ServiceCause
  /** The service may have seen the request: what shows this must not repeat it by itself. */
  readonly wasSent: boolean
}

/** Why a service does not answer: by its state, because a page of another site may not start it, or what went wrong. */
export type ServiceCause = 'state' | 'other-site' | Trouble

export interface LocalAnswer {
  readonly status: number
  /** Name and value in turns; without `Content-Length`. */
  readonly fields: readonly string[]
  readonly body: Buffer
}

/** `head`: null when it could not be read. */
export function localAnswer(situation: Situation, head: RequestHead | null): LocalAnswer {
  const format = head === null ? 'text' : preferredFormat(head.method, headersOf(head))
  const notice = formNotice(noticeOf(situation), format, head?.method ?? 'GET')
  const { status, headers, body } = noticeResponse(notice, format, {
    nonce: randomBytes(16).toString('base64'),
    eventsPath: notice.watch === null || head === null ? null : eventsPath(head.target),
    now: Date.now(),
  })
  const fields = Object.entries(headers).flatMap(([name, value]) => (name === 'content-length' ? [] : [name, value]))
  return { status, fields, body }
}

/** A form that was sent is not sent again by the page that answers it. */
function formNotice(notice: Notice, format: NoticeFormat, method: string): Notice {
  if (format !== 'html' || method === 'GET' || method === 'HEAD') return notice
  return withoutReload(notice, `Send it again by hand once the service is up: a ${method} is never repeated by itself`)
}

/** Whether somebody looks at what a browser shows as a whole, who can be given another page instead. */
export function isNavigation(head: RequestHead): boolean {
  return isNavigationOf(head.method, headersOf(head))
}

/** A request's fields as the pages read them. */
export function headersOf({ fields }: RequestHead): RequestHeaders {
  const headers: Record<string, string> = Object.create(null)
  for (let index = 0; index < fields.length; index += 2) {
    const name = (fields[index] ?? '').toLowerCase()
    const value = fields[index + 1] ?? ''
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

/** A local answer as the head of one. */
export function headOf({ status, fields, body }: LocalAnswer, method: string): ResponseHead {
  return { ...answerHead(status, fields, method === 'HEAD' ? 0 : body.length), contentLength: body.length }
}

/** The head of an answer of our own with a body of that length. */
export function answerHead(status: number, fields: readonly string[], bodyLength: BodyLength): ResponseHead {
  return {
    status,
    reason: STATUS_CODES[status] ?? '',
    fields,
    bodyLength,
    contentLength: bodyLength < 0 ? null : bodyLength,
    keepAlive: true,
    keepAliveMs: null,
    upgrade: null,
    webSocketAccept: null,
    isEventStream: false,
  }
}

function noticeOf(situation: Situation): Notice {
  switch (situation.type) {
    case 'refused':
      return refusedNotice(situation.status, situation.reason)
    case 'unknown-host':
      return unknownHostNotice(situation.host)
    case 'loop':
      return loopNotice(situation.target.label, situation.target.project)
    default:
      return serviceSituationNotice(situation)
  }
}

/** What a page about a service says. */
export function serviceSituationNotice(situation: Omit<ServiceSituation, 'type'>): Notice {
  const notice = situationNotice(situation)
  if (!situation.wasSent) return notice
  const { label } = situation.target
  return withoutReload(
    notice,
    `The request may have reached ${label}, so this page does not repeat it: reload it by hand if it may be made twice`,
  )
}

function situationNotice({ target, description, cause }: Omit<ServiceSituation, 'type'>): Notice {
  if (description === null) return undescribedNotice(target, cause)
  if (cause === 'state') return serviceNotice(description)
  return cause === 'other-site' ? otherSiteNotice(description) : troubleNotice(description, cause)
}

/** All that is known without the daemon. */
function undescribedNotice({ label, project, state }: ServiceTarget, cause: ServiceCause): Notice {
  const isBusy = cause === 'state' && (state === 'starting' || state === 'idle' || state === 'up')
  const isStopped = cause === 'other-site' || (cause === 'state' && state === 'down')
  return plainNotice({
    kind: isBusy ? 'service-starting' : isStopped ? 'service-stopped' : 'service-not-answering',
    status: isBusy || isStopped ? 503 : cause === 'timeout' ? 504 : 502,
    tone: isBusy ? 'busy' : 'bad',
    title: isBusy ? `${label} is starting` : isStopped ? `${label} is stopped` : `${label} does not answer`,
    detail: cause === 'state' || cause === 'other-site' ? '' : detailOf(cause),
    steps: [{ text: 'See why', command: `locald why ${label}` }],
    project,
    watch: { refreshS: isBusy ? 2 : 10, settleMs: 2000 },
    data: { service: label, project },
  })
}
