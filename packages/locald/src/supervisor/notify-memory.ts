// What a run has said over its notify socket, and what follows from it for its health.
import { getSystemErrorMap } from 'node:util'
import type { HealthSource } from '@locald/protocol'
import type { NotifyRefusal, NotifySender } from '../keeper/protocol.ts'
import { stripAnsi } from '../lib/terminal-text.ts'
import { unreachable } from '../lib/unreachable.ts'

/** One message, or several that came too quickly, for people. */
export interface NotifyMessage {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Its assignments, separated by spaces. */
  readonly text: string
  readonly sender: Omit<NotifySender, 'verdict'>
  /** Why it counts, or why it does not. */
  readonly verdict: NotifySender['verdict'] | NotifyRefusal['reason']
  /** How many refused messages it stands for; 1 for one that counts. */
  readonly count: number
}

export interface NotifyMemory {
  /** It sent READY=1 at least once. */
  readonly isReady: boolean
  readonly status: string | null
  readonly phase: 'reloading' | 'stopping' | null
  readonly errno: number | null
  readonly mainPid: number | null
  /** It did not send WATCHDOG=1 for so long; 0: it said by itself that it has failed; null: it is on time, or need not. */
  readonly missedMs: number | null
  /** What its checks say, whatever overrules them. */
  readonly isFit: boolean
  /** Messages that did not count. */
  readonly refused: number
  /** The latest, oldest first. */
  readonly messages: readonly NotifyMessage[]
}

export const nothingNotified: NotifyMemory = {
  isReady: false,
  status: null,
  phase: null,
  errno: null,
  mainPid: null,
  missedMs: null,
  isFit: false,
  refused: 0,
  messages: [],
}

const messagesKept = 8
const longestText = 200
const longestCommand = 80
const longestStatus = 500

/** After a message that counts. */
export function afterNotified(
  memory: NotifyMemory,
  fields: Readonly<Record<string, string>>,
  sender: NotifySender,
  at: number,
): NotifyMemory {
  const { STATUS: status, ERRNO: errno, MAINPID: mainPid } = fields
  const message = { at, text: textOf(fields), sender: shown(sender), verdict: sender.verdict, count: 1 }
  return {
    ...memory,
    isReady: memory.isReady || fields['READY'] === '1',
    status: status === undefined ? memory.status : oneLine(status, longestStatus) || null,
    phase: phaseAfter(memory.phase, fields),
    errno: errno === undefined ? memory.errno : numberOf(errno),
    mainPid: mainPid === undefined ? memory.mainPid : numberOf(mainPid),
    messages: [...memory.messages, message].slice(-messagesKept),
  }
}

/** After messages that do not count. */
export function afterRefused(
  memory: NotifyMemory,
  { reason, fields, sender, count }: NotifyRefusal & { readonly count: number },
  at: number,
): NotifyMemory {
  const message = { at, text: textOf(fields), sender: shown(sender), verdict: reason, count }
  return {
    ...memory,
    refused: memory.refused + count,
    messages: [...memory.messages, message].slice(-messagesKept),
  }
}

/** Whether a message counted. */
export function isCounted({ verdict }: NotifyMessage): boolean {
  return verdict === 'member' || verdict === 'exited' || verdict === 'unverified'
}

/** Why a message counts, or why it does not, as the end of a sentence about its sender. */
export function whyJudged({ verdict, sender }: NotifyMessage): string {
  switch (verdict) {
    case 'member':
      return 'it is one of its processes'
    case 'exited':
      return `it had exited when it was looked at; user ${sender.uid} runs processes of this service`
    case 'unverified':
      return 'this system does not tell who sends'
    case 'outside':
      return 'it is not one of its processes'
    case 'unknown-user':
      return `it had exited when it was looked at, and user ${sender.uid} runs nothing of this service`
    case 'malformed':
      return 'it is no list of assignments'
    case 'oversized':
      return 'it is longer than 4096 bytes'
    default:
      return unreachable(verdict)
  }
}

/** "pid 42 (node server.js)". */
function describeSender({ pid, command }: NotifyMessage['sender']): string {
  return command === null || command === '' ? `pid ${pid}` : `pid ${pid} (${command})`
}

/** Why it is not healthy whatever its checks say; null when they decide. */
export function overruling(memory: NotifyMemory | null): string | null {
  if (memory === null) return null
  if (memory.missedMs === 0) return 'Reported by WATCHDOG=trigger that it has failed'
  if (memory.missedMs !== null) return `Missed its watchdog: no WATCHDOG=1 for ${memory.missedMs / 1000} s`
  return memory.phase === 'stopping' ? 'Is about to stop (STOPPING=1)' : null
}

/** The last result of a check. */
interface CheckedHealth {
  readonly source: HealthSource
  readonly message: string
  readonly output: string | null
}

/** What to show of its health: the last result of its check and what it says of itself. */
export function healthShown({
  health,
  notify,
}: {
  readonly health: CheckedHealth | null
  readonly notify: NotifyMemory | null
}): CheckedHealth | null {
  if (notify === null) return health
  const words = notify.status === null ? '' : `it says "${notify.status}"`
  const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('; ')
  const overruled = overruling(notify)
  if (overruled !== null) return { source: 'notify', message: join(overruled, words), output: null }
  const phase = notify.phase === 'reloading' ? 'Reloading' : ''
  const refused = health?.source === 'notify' && !notify.isReady ? refusedReadiness(notify) : ''
  if (health !== null) return { ...health, message: join(health.message, refused, phase, words) }
  const alone = join(phase, words)
  return alone === '' ? null : { source: 'process', message: alone, output: null }
}

/** What is worth knowing while it is waited for. */
function refusedReadiness({ messages }: NotifyMemory): string {
  const refused = messages.findLast((message) => !isCounted(message))
  if (refused === undefined) return ''
  return `refused "${refused.text}" of ${describeSender(refused.sender)}: ${whyJudged(refused)}`
}

/** "ENOENT: no such file or directory", or the number where it has no name here. */
export function describeErrno(errno: number): string {
  const known = getSystemErrorMap().get(-errno)
  return known === undefined ? `error ${errno}` : `${known[0]}: ${known[1]}`
}

/** By the last of them in the message. */
function phaseAfter(before: NotifyMemory['phase'], fields: Readonly<Record<string, string>>): NotifyMemory['phase'] {
  let phase = before
  for (const [name, value] of Object.entries(fields)) {
    if (value !== '1') continue
    if (name === 'READY') phase = null
    if (name === 'RELOADING') phase = 'reloading'
    if (name === 'STOPPING') phase = 'stopping'
  }
  return phase
}

function textOf(fields: Readonly<Record<string, string>>): string {
  const all = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  return oneLine(all.join(' '), longestText)
}

function shown({ pid, uid, command }: NotifyMessage['sender']): NotifyMessage['sender'] {
  return { pid, uid, command: command === null ? null : oneLine(command, longestCommand) }
}

function oneLine(text: string, longest: number): string {
  const line = stripAnsi(text).replaceAll(/\s+/gu, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

function numberOf(text: string): number | null {
  return /^\d{1,10}$/u.test(text) ? Number(text) : null
}
