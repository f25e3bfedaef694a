// The notify sockets of all runs.
import { membershipOf } from '../lib/membership.ts'
import { commandLineOf, processUsers } from '../lib/process-tree.ts'
import { ReadablePoll } from '../lib/readable-poll.ts'
import { containerMembershipOf, usersInContainer } from './container-membership.ts'
import { NotifySocket } from './notify-socket.ts'
import type { NotifyHost } from './notify-socket.ts'
import type { ProcessEntry } from '../lib/process-source.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { FactBody } from './fact-log.ts'
import type { Fact, Notification, NotifyOrder } from './protocol.ts'

export interface NotifySocketsOptions {
  readonly tell: (run: string, body: FactBody) => void
  /** Null as long as the run is not started. */
  readonly identityOf: (run: string) => RunIdentity | null
  readonly membersOf: (run: string) => readonly ProcessEntry[]
  readonly extendEnd: (run: string, ms: number) => void
  /** The process below which all orphans are; see `membersByRun`. */
  readonly under?: number
}

const stranger = { is: 'stranger', entry: null } as const

export class NotifySockets {
  readonly #options: NotifySocketsOptions
  readonly #poll = new ReadablePoll()
  readonly #open = new Map<string, NotifySocket>()
  /** Ids of those runs that are containers. */
  readonly #containers = new Map<string, string>()

  constructor(options: NotifySocketsOptions) {
    this.#options = options
  }

  /** Makes the socket of a run that is about to be started. Throws with the system's `code`. */
  open(run: string, order: NotifyOrder): void {
    const { identityOf, membersOf, under } = this.#options
    this.#make(run, order, {
      membershipOf: (pid) => {
        const identity = identityOf(run)
        if (identity === null) return stranger
        return membershipOf(pid, identity, under === undefined ? {} : { under })
      },
      users: () => membersOf(run).flatMap(({ pid }) => processUsers(pid)),
      firstUser: process.getuid?.() ?? null,
    })
  }

  /** Makes the socket of a container that is about to be created, unless it is there. Throws with the system's `code`. */
  openForContainer(run: string, order: NotifyOrder): void {
    if (this.#open.has(run)) return
    const id = (): string | undefined => this.#containers.get(run)
    this.#make(run, order, {
      membershipOf: (pid) => {
        const container = id()
        return container === undefined ? stranger : containerMembershipOf(pid, container)
      },
      users: () => usersInContainer(id() ?? 'none'),
      firstUser: null,
    })
    this.listen(run)
  }

  /** The container was created, and not started yet. False when it has no socket. */
  identifyContainer(run: string, id: string): boolean {
    if (this.#open.has(run)) this.#containers.set(run, id)
    return this.#open.has(run)
  }

  /** Nothing is left of the container, or nothing came of it. */
  closeForContainer(run: string): void {
    this.#open.get(run)?.close()
    this.#open.delete(run)
    this.#containers.delete(run)
  }

  /** The run was started: what it sends is received. */
  listen(run: string): void {
    this.#open.get(run)?.listen()
  }

  /** The run could not be started. */
  discard(run: string): void {
    this.#open.get(run)?.abandon()
    this.#open.delete(run)
  }

  /** Call before this is told of the run: what it sent earlier is told earlier. */
  before(run: string, body: FactBody): void {
    const socket = this.#open.get(run)
    if (body.type === 'exited') socket?.settle()
    if (body.type !== 'emptied') return
    socket?.close()
    this.#open.delete(run)
  }

  #make(run: string, order: NotifyOrder, judge: Pick<NotifyHost, 'membershipOf' | 'users' | 'firstUser'>): void {
    const socket = new NotifySocket(order, {
      ...judge,
      poll: this.#poll,
      tell: (body) => this.#options.tell(run, body),
      commandOf: (entry) => (entry === null ? null : commandLineOf(entry)),
      extendEnd: (ms) => this.#options.extendEnd(run, ms),
    })
    this.#open.set(run, socket)
  }

  /** What a run has said so far; null: nothing. */
  saidBy(run: string): Notification | null {
    return this.#open.get(run)?.said ?? null
  }

  get saidByContainers(): readonly { readonly run: string; readonly notified: Notification }[] {
    return [...this.#containers.keys()].flatMap((run) => {
      const notified = this.saidBy(run)
      return notified === null ? [] : [{ run, notified }]
    })
  }

  armWatchdog(run: string): boolean {
    this.#open.get(run)?.armWatchdog()
    return this.#open.has(run)
  }

  /** The run is being ended. */
  stopWatchdog(run: string): void {
    this.#open.get(run)?.stopWatchdog()
  }

  acknowledged(fact: Fact): void {
    if (fact.type === 'notified' || fact.type === 'notify-refused' || fact.type === 'watchdog') {
      this.#open.get(fact.run)?.acknowledged()
    }
  }

  /** Lets go of all of them. */
  close(): void {
    for (const socket of this.#open.values()) socket.abandon()
    this.#open.clear()
    this.#poll.close()
  }
}
