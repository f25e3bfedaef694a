// A notice as a page: whole without scripts, styles and scripts inside it, no bytes from anywhere else.
import { ansiToHtml } from './ansi-to-html.ts'
import { escapeHtml } from './escape-html.ts'
import type { Notice } from './notice.ts'
import { pageScript } from './page-script.ts'
import { pageStyle } from './page-style.ts'
import type { DescribedLine, DescribedLink, DescribedStep } from './service-description.ts'

/** Lines that a page shows, and characters of each, terminal codes included. */
const shownLines = 40
const shownCharacters = 1000

export interface HtmlOptions {
  /** Of the policy: allows this page's own style and script. */
  readonly nonce: string
  /** Where its events come from; null: it does not watch. A path below `/.locald/`. */
  readonly eventsPath: string | null
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Pure. */
export function noticeHtml(notice: Notice, { nonce, eventsPath, now }: HtmlOptions): string {
  const { watch, tone } = notice
  const refresh = watch === null ? '' : `<noscript><meta http-equiv="refresh" content="${watch.refreshS}"></noscript>`
  const isLive = watch !== null && eventsPath !== null
  const script = isLive ? `<script nonce="${nonce}" data-events="${escapeHtml(eventsPath)}">${pageScript}</script>` : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${escapeHtml(pageTitle(notice))}</title>${refresh}
<link rel="icon" href="${faviconOf(tone)}"><style nonce="${nonce}">${pageStyle}</style></head>
<body><main>${mainHtml(notice, now)}</main>
<footer><span>locald</span>${isLive ? '<span>This page goes on by itself</span>' : ''}</footer>${script}</body></html>
`
}

/** What changes while the page is looked at. Pure. */
export function mainHtml(notice: Notice, now: number): string {
  const { tone, title, detail, facts, chain, steps, watch } = notice
  return [
    `<header class="${tone}" data-settle="${watch?.settleMs ?? 0}">${projectHtml(notice)}<h1><i></i>${escapeHtml(title)}</h1>`,
    detail === '' ? '' : `<p>${ansiToHtml(detail)}${sinceHtml(notice, now)}</p>`,
    '</header>',
    facts.length === 0
      ? ''
      : `<dl>${facts.map(({ name, value }) => `<div><dt>${escapeHtml(name)}<dd>${escapeHtml(value)}</div>`).join('')}</dl>`,
    chain.length === 0 ? '' : `<ol class="chain">${chain.map(linkHtml).join('')}</ol>`,
    steps.length === 0 ? '' : `<h2>What to do</h2><ul class="steps">${steps.map(stepHtml).join('')}</ul>`,
    linesHtml(notice),
  ].join('')
}

/** `web is starting · shop`. */
export function pageTitle({ title, project }: Notice): string {
  return project === null ? title : `${title} · ${project}`
}

function projectHtml({ project }: Notice): string {
  return project === null ? '' : `<b>${escapeHtml(project)}</b>`
}

function sinceHtml({ since, tone }: Notice, now: number): string {
  const at = since === null ? Number.NaN : Date.parse(since)
  if (tone !== 'busy' || !Number.isFinite(at)) return ''
  return ` <time data-since="${at}">${Math.max(0, Math.round((now - at) / 1000))} s</time>`
}

function linkHtml({ service, state, reason }: DescribedLink): string {
  const isBad = state === 'failed' || state === 'stopped'
  return `<li class="${isBad ? 'bad' : 'busy'}"><b>${escapeHtml(service)}</b> <em>${escapeHtml(state)}</em><span>${ansiToHtml(reason)}</span>`
}

function stepHtml({ text, command }: DescribedStep): string {
  return `<li>${escapeHtml(text)}${command === null ? '' : `<code>${escapeHtml(command)}</code>`}`
}

function linesHtml({ lines, linesOf }: Notice): string {
  if (lines.length === 0) return ''
  const shown = lines.slice(-shownLines).map(lineHtml).join('\n')
  return `<h2>Last lines of ${escapeHtml(linesOf)}</h2><pre tabindex="0">${shown}</pre>`
}

function lineHtml({ text }: DescribedLine): string {
  return ansiToHtml(text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text)
}

/** A dot, as an address that holds it. */
function faviconOf(tone: Notice['tone']): string {
  const colour = { busy: 'e0a100', bad: 'd6455d', calm: '7a8190' }[tone]
  return `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='3' fill='%23${colour}'/%3E%3C/svg%3E`
}
