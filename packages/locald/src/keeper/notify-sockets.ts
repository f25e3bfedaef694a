// The notify sockets of all runs.
import { membershipOf } from '../lib/membership.ts'
import { commandLineOf, processUsers } from '../lib/process-tree.ts'
import { ReadablePoll } from '../lib/readable-poll.ts'
import { NotifySocket } from './notify-socket.ts'
import type { ProcessEntry } from '../lib/process-source.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { FactBody } from './fact-log.ts'
import type { Fact, NotifyOrder } from './protocol.ts'

export interface NotifySocketsOptions {
  readonly tell: (run: string, body: FactBody) => void
  /** Null as long as the run is not started. */
  readonly identityOf: (run: string) => RunIdentity | null
  readonly membersOf: (run: string) => readonly ProcessEntry[]
  readonly extendEnd: (run: string, ms: number) => void
  /** The process below which all orphans are; see `membersByRun`. */
  readonly under?: number
}

export class NotifySockets {
  readonly #options: NotifySocketsOptions
  readonly #poll = new ReadablePoll()
  readonly #open = new Map<string, NotifySocket>()

  constructor(options: NotifySocketsOptions) {
    this.#options = options
  }

  /** Makes the socket of a run that is about to be started. Throws with the system's `code`. */
  open(run: string, order: NotifyOrder): void {
    const { tell, identityOf, membersOf, extendEnd, under } = this.#options
    const socket = new NotifySocket(order, {
      poll: this.#poll,
      tell: (body) => tell(run, body),
      membershipOf: (pid) => {
        const identity = identityOf(run)
        if (identity === null) return { is: 'stranger', entry: null }
        return membershipOf(pid, identity, under === undefined ? {} : { under })
      },
      commandOf: ({ entry }) => (entry === null ? null : commandLineOf(entry)),
      users: () => membersOf(run).flatMap(({ pid }) => processUsers(pid)),
      extendEnd: (ms) => extendEnd(run, ms),
    })
    this.#open.set(run, socket)
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
