// The notify socket of one run: receives what is said, judges who said it, answers barriers, watches the watchdog.
import { close } from 'node:fs'
import { bindDatagramSocket, closeDatagramSocket, receiveDatagram } from '../lib/datagram-socket.ts'
import { microseconds } from '../lib/microseconds.ts'
import { processEntry } from '../lib/process-tree.ts'
import { mergeNotifyFields, parseNotifyMessage } from './notify-message.ts'
import { NotifyOutbox } from './notify-outbox.ts'
import { Watchdog } from './watchdog.ts'
import type { Datagram, Sender } from '../lib/datagram-socket.ts'
import type { Membership } from '../lib/membership.ts'
import type { ProcessEntry } from '../lib/process-source.ts'
import type { ReadablePoll } from '../lib/readable-poll.ts'
import type { FactBody } from './fact-log.ts'
import type { NotifyFields } from './notify-message.ts'
import type { Notification, NotifyOrder, NotifyRefusal, NotifySender } from './protocol.ts'

/** What a notify socket needs from its keeper. */
export interface NotifyHost {
  readonly poll: ReadablePoll
  tell(body: FactBody): void
  /** Whether a process belongs to the run now. */
  membershipOf(pid: number): Membership
  /** What a process was called with, for people. */
  commandOf(entry: ProcessEntry | null): string | null
  /** Users that the members of the run act for now. */
  users(): readonly number[]
  /** The user that it was started as; null where that is not known. */
  readonly firstUser: number | null
  /** The service needs so much more time until it is killed, if it is being ended. */
  extendEnd(ms: number): void
}

/** A flood is looked at in portions, and from so many a window on not before the next window. */
const portion = 64
const windowMs = 1000
const mostInWindow = 1000
/** A busy machine could otherwise be made to look at all its processes for each message. */
const usersEveryMs = 1000
const mostMembers = 32
/** What one WATCHDOG_USEC or EXTEND_TIMEOUT_USEC can ask for. */
const shortestPeriodMs = 100
const longestMs = 24 * 60 * 60 * 1000

/** Heard by the keeper alone; of no use to the daemon. */
const ownFields: ReadonlySet<string> = new Set([
  'BARRIER',
  'WATCHDOG',
  'WATCHDOG_USEC',
  'FDSTORE',
  'FDSTOREREMOVE',
  'FDNAME',
  'FDPOLL',
])

export class NotifySocket {
  readonly #order: NotifyOrder
  readonly #host: NotifyHost
  readonly #fd: number
  readonly #outbox: NotifyOutbox
  readonly #watchdog: Watchdog
  /** Users that were seen in the run. */
  readonly #users: Set<number>
  #said: Notification | null = null
  #usersReadAt = Number.NEGATIVE_INFINITY
  /** Start times of members that sent something, by pid. */
  readonly #members = new Map<number, number>()
  #window = { since: 0, count: 0 }
  #resume: (() => void) | null = null
  #isClosed = false

  /** Binds the socket; what is sent from now on waits until `listen`. Throws with the system's `code`. */
  constructor(order: NotifyOrder, host: NotifyHost) {
    this.#order = order
    this.#host = host
    this.#users = new Set(host.firstUser === null ? [] : [host.firstUser])
    this.#fd = bindDatagramSocket(order.address)
    const clock = { now: () => performance.now(), after }
    this.#outbox = new NotifyOutbox({ ...clock, tell: (body) => host.tell(body) })
    this.#watchdog = new Watchdog({
      ...clock,
      periodMs: order.watchdogMs ?? Number.POSITIVE_INFINITY,
      catchUp: () => this.drain(),
      onChange: (is, periodMs) => this.#outbox.alarm(is, Number.isFinite(periodMs) ? periodMs : 0),
    })
  }

  /** All that counted so far, as one message; null: nothing. */
  get said(): Notification | null {
    return this.#said
  }

  /** Begins to receive. */
  listen(): void {
    this.#host.poll.add(this.#fd, () => this.#onReadable())
  }

  /** Counts the service's signs of life from now on, if it has to give any. */
  armWatchdog(): void {
    this.#watchdog.arm()
  }

  /** It is being ended: no sign of life is expected any more. */
  stopWatchdog(): void {
    this.#watchdog.stop()
  }

  /** The daemon has stored one of the facts that came from here. */
  acknowledged(): void {
    if (!this.#isClosed) this.#outbox.acknowledged()
  }

  /** Takes in what has been sent so far. */
  drain(): void {
    for (let taken = 0; taken < mostInWindow && this.#receive(); taken++);
  }

  /** Takes in what has been sent so far and tells all that is held back. */
  settle(): void {
    if (this.#isClosed) return
    this.drain()
    this.#outbox.flush()
  }

  /** {@link settle}, then lets go of everything. */
  close(): void {
    this.settle()
    this.abandon()
  }

  /** Lets go of everything. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watchdog.stop()
    this.#outbox.stop()
    this.#resume?.()
    this.#host.poll.remove(this.#fd)
    closeDatagramSocket(this.#fd, this.#order.address)
  }

  #onReadable(): void {
    const now = performance.now()
    if (now - this.#window.since > windowMs) this.#window = { since: now, count: 0 }
    for (let taken = 0; taken < portion; taken++) {
      if (!this.#receive()) return
      this.#window.count++
    }
    if (this.#window.count < mostInWindow) return
    // The kernel's queue is short: who floods it waits in `send`.
    this.#host.poll.remove(this.#fd)
    this.#resume = after(this.#window.since + windowMs - now, () => this.listen())
  }

  /** False when nothing was waiting. */
  #receive(): boolean {
    const datagram = this.#isClosed ? null : receiveDatagram(this.#fd)
    if (datagram === null) return false
    try {
      this.#take(datagram)
    } finally {
      // Whatever came with it. A barrier's sender waits for that: everything before it has been taken by now. Not here,
      // because closing a descriptor of somebody's choice can take long.
      for (const descriptor of datagram.descriptors) close(descriptor, () => {})
    }
    return true
  }

  #take({ bytes, isTruncated, sender }: Datagram): void {
    const fields = isTruncated ? null : parseNotifyMessage(bytes)
    const { pid, uid, entry, verdict } = this.#judge(sender)
    const shown = (): NotifyRefusal['sender'] => ({ pid, uid, command: this.#host.commandOf(entry) })
    if (verdict === 'outside' || verdict === 'unknown-user') {
      this.#outbox.refuse({ reason: verdict, fields: fields ?? {}, sender: shown() })
    } else if (fields === null) {
      this.#outbox.refuse({ reason: isTruncated ? 'oversized' : 'malformed', fields: {}, sender: shown() })
    } else this.#accept(fields, () => ({ ...shown(), verdict }))
  }

  #accept(fields: NotifyFields, sender: () => NotifySender): void {
    this.#heed(fields)
    const told = Object.entries(fields).filter(([name, value]) => !ownFields.has(name) && this.#isCredible(name, value))
    // Signs of life are many, and nobody asks who gave them.
    if (told.length === 0) return
    const notification = { fields: Object.fromEntries(told), sender: sender() }
    const before = this.#said?.fields ?? {}
    this.#said = { ...notification, fields: mergeNotifyFields(before, notification.fields) }
    this.#outbox.accept(notification.fields, notification.sender)
  }

  /** What must work without a daemon. */
  #heed(fields: NotifyFields): void {
    const { WATCHDOG: watchdog, READY: ready } = fields
    const period = microseconds(fields['WATCHDOG_USEC'])
    if (period !== null && period > 0) {
      this.#watchdog.setPeriod(Math.min(Math.max(period, shortestPeriodMs), longestMs))
    }
    if (watchdog === '1') this.#watchdog.ping()
    if (watchdog === 'trigger') this.#watchdog.trigger()
    if (ready === '1') this.#watchdog.arm()
    if (fields['STOPPING'] === '1') this.#watchdog.stop()
    const extension = microseconds(fields['EXTEND_TIMEOUT_USEC'])
    if (extension !== null) this.#host.extendEnd(Math.min(extension, longestMs))
  }

  /** A main process must be one of the service's. */
  #isCredible(name: string, value: string): boolean {
    return name !== 'MAINPID' || (/^\d{1,10}$/u.test(value) && this.#host.membershipOf(Number(value)).is === 'member')
  }

  #judge(sender: Sender | null): Judgement {
    // Nobody but this user can reach the socket where the system does not tell who it was.
    if (sender === null) return { pid: 0, uid: process.getuid?.() ?? 0, entry: null, verdict: 'unverified' }
    const { pid, uid } = sender
    const { is, entry } = this.#membershipOf(pid)
    if (is === 'stranger' || pid === 0) return { pid, uid, entry, verdict: 'outside' }
    if (is === 'gone') return { pid, uid, entry, verdict: this.#knowsUser(uid) ? 'exited' : 'unknown-user' }
    this.#users.add(uid)
    return { pid, uid, entry, verdict: 'member' }
  }

  /** Who was a member once is one for good: there is no way out of a run. */
  #membershipOf(pid: number): Membership {
    const entry = processEntry(pid)
    if (entry !== null && this.#members.get(pid) === entry.startTime) return { is: 'member', entry }
    const membership = this.#host.membershipOf(pid)
    if (membership.is !== 'member' || membership.entry === null) return membership
    this.#members.set(pid, membership.entry.startTime)
    const [oldest] = this.#members.keys()
    if (this.#members.size > mostMembers && oldest !== undefined) this.#members.delete(oldest)
    return membership
  }

  #knowsUser(uid: number): boolean {
    const now = performance.now()
    if (!this.#users.has(uid) && now - this.#usersReadAt >= usersEveryMs) {
      this.#usersReadAt = now
      for (const user of this.#host.users()) this.#users.add(user)
    }
    return this.#users.has(uid)
  }
}

interface Judgement extends Sender {
  readonly entry: ProcessEntry | null
  readonly verdict: NotifySender['verdict'] | 'outside' | 'unknown-user'
}

function after(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms)
  return () => clearTimeout(timer)
}
