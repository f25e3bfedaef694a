// A notice as an answer: status, headers and body in the form that suits who asked.
import type { Notice } from './notice.ts'
import { noticeHtml } from './notice-html.ts'
import { noticeJson } from './notice-json.ts'
import { noticeText } from './notice-text.ts'
import type { NoticeFormat } from './preferred-format.ts'

export interface NoticeResponse {
  readonly status: number
  /** By lower-case name, `content-length` included. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface ResponseOptions {
  /** Unguessable and new for each answer: 16 random bytes or more, base64. */
  readonly nonce: string
  /** See `eventsPath`; null where none can be served. */
  readonly eventsPath: string | null
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Pure. */
export function noticeResponse(notice: Notice, format: NoticeFormat, options: ResponseOptions): NoticeResponse {
  const { type, text } = formed(notice, format, options)
  const body = Buffer.from(text)
  return {
    status: notice.status,
    headers: {
      'content-type': type,
      'content-length': String(body.length),
      // It is not the service's answer, and not true any more in a moment.
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy':
        format === 'html' ? policyOf(options.nonce) : "default-src 'none'; frame-ancestors 'none'",
      'x-locald-notice': notice.kind,
      ...(notice.watch !== null && notice.tone === 'busy' ? { 'retry-after': String(notice.watch.refreshS) } : {}),
    },
    body,
  }
}

function formed(
  notice: Notice,
  format: NoticeFormat,
  options: ResponseOptions,
): { readonly type: string; readonly text: string } {
  switch (format) {
    case 'html':
      return { type: 'text/html; charset=utf-8', text: noticeHtml(notice, options) }
    case 'json':
      return { type: 'application/problem+json', text: noticeJson(notice) }
    default:
      return { type: 'text/plain; charset=utf-8', text: noticeText(notice) }
  }
}

function policyOf(nonce: string): string {
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
