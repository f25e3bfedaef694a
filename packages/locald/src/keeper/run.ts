// One run: a program that was started, what it leaves behind, and how all of it is ended.
import { isErrno } from '../lib/errno.ts'
import { startTimeNow, startTimeOf, commandLineOf } from '../lib/process-tree.ts'
import { markerVariable } from '../lib/process-source.ts'
import { parseSignal } from '../lib/signals.ts'
import { terminalReaders } from '../lib/terminal-readers.ts'
import { startProcess } from './start-process.ts'
import type { ProcessEntry } from '../lib/process-source.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { TerminalDevice } from '../lib/terminal-reader-source.ts'
import type { FactBody } from './fact-log.ts'
import type { LogStreams } from './log-streams.ts'
import type { EndOrder, InputOrigin, Member, RecoveryEnd, RunInfo, SpawnOrder } from './protocol.ts'
import type { RunEntry } from './runs-file.ts'
import type { ChildExit } from '../lib/child-exit.ts'
import type { RunningProcess, StartOrder } from './start-process.ts'

/** What a run needs from its keeper. */
export interface RunHost {
  readonly logs: LogStreams
  /** Something happened to this run: at that time, milliseconds since the epoch, or now. */
  fact(body: FactBody, at?: number): void
  /** Asks for a call of `review` after at most this long. */
  reviewWithin(delayMs: number): void
  /** It was sent a signal in order to end it. */
  signalled(how: Signalled): void
}

export interface Signalled {
  readonly signal: NodeJS.Signals
  /** The group of the leader, the leader alone, or a member: a pid. */
  readonly to: 'group' | 'leader' | number
  /** `gone`: nobody was there any more. `denied`: this user may not signal it. */
  readonly result: Sent
}

export interface RunMarks {
  /** See `RunIdentity`. */
  readonly marker: string
  readonly lockLimit: number
}

/** What is remembered of the order that it was started by. */
type RunOrder = Pick<SpawnOrder, 'run' | 'tag' | 'tty' | 'log' | 'recovery'>

interface Starting {
  readonly marker: string
  readonly start: (callbacks: Pick<StartOrder, 'onOutput' | 'onExit'>) => RunningProcess
}

type Origin = Starting | (Pick<RunEntry, 'identity' | 'startedAt'> & { readonly found: readonly Member[] })

const defaultRecovery: RecoveryEnd = { signal: 'SIGTERM', scope: 'group', timeoutMs: 10_000 }

/** Between two looks at a tree that is being ended; most ends are seen earlier, by the system's word of them. */
const reviewMs = { signalled: 100, killing: 20, undecided: 1000 }
/** After SIGKILL: until a process that this user may not signal, or that the system does not let go of, is given up. */
const giveUpMs = { denied: 1000, stuck: 5000 }
/** Nobody sends input again after that many others have typed. */
const originsRemembered = 64

interface Ending {
  readonly signal: NodeJS.Signals
  readonly scope: EndOrder['scope']
  /** On the clock of `performance.now()`. */
  deadline: number | null
  timer: NodeJS.Timeout | null
  /** The service asked for so much time; holds against anything but an end at once. */
  extendedTo: number
  /** When the group was signalled, in the unit of start times; null when it was not. */
  groupSignalledAt: number | null
  /** Members that were signalled by themselves. */
  readonly signalled: Set<string>
  killing: { readonly since: number; isTold: boolean } | null
}

/**
 * Life: running → (leader) exited → emptied. The keeper calls `review` with the living members whenever there may be
 * news; facts are told from there, so that each carries members seen after what it tells of.
 */
export class Run {
  readonly order: RunOrder
  readonly identity: RunIdentity
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly #host: RunHost
  /** Null when an earlier keeper started it: nothing of it can be read or written any more. */
  readonly #process: RunningProcess | null
  /** The last `seq` of each origin of input, the one that typed last at the end. */
  readonly #typed = new Map<string, number>()
  #terminal: TerminalDevice | null = null
  /** What was left of it when its keeper was lost; null when this keeper started it. */
  readonly #found: readonly Member[] | null
  #exit: (ChildExit & { readonly at: number }) | null = null
  #isRecorded = false
  #isExitTold = false
  #isEmptied = false
  #ending: Ending | null = null
  #isPaused = false

  private constructor({ run, tag, tty, log, recovery }: RunOrder, host: RunHost, origin: Origin) {
    const order = { run, tag, tty, log, ...(recovery === undefined ? {} : { recovery }) }
    this.order = order
    this.#host = host
    host.logs.hold(order.log)
    if ('found' in origin) {
      this.#process = null
      this.#found = origin.found
      this.identity = origin.identity
      this.startedAt = origin.startedAt
      this.#isRecorded = true
      this.#isExitTold = true // it never will be
      return
    }
    this.#found = null
    this.#process = origin.start({
      onOutput: (stream, bytes) => {
        const hasRoom = host.logs.output(order.log, stream, bytes)
        if (!hasRoom) void this.#pause()
        return hasRoom
      },
      onExit: (exit) => void this.#onExit(exit),
    })
    const { pid, lockLimit } = this.#process
    this.startedAt = Date.now()
    // A program that has ended within this moment has no start time any more; nothing younger can be taken for it.
    this.identity = { pid, startTime: startTimeOf(pid) ?? startTimeNow(), marker: origin.marker, lockLimit }
  }

  /** Starts the program. Throws when the system cannot fork. */
  static start(order: SpawnOrder, program: string, marks: RunMarks, host: RunHost): Run {
    const { marker, lockLimit } = marks
    const env = { ...order.env, [markerVariable]: marker }
    const start: Starting['start'] = (callbacks) => startProcess({ ...order, ...callbacks, program, env, lockLimit })
    let run: Run
    try {
      run = new Run(order, host, { marker, start })
    } catch (error) {
      host.logs.release(order.log)
      throw error
    }
    host.logs.record(order.log, { type: 'run.started', run: order.run, pid: run.identity.pid, argv: order.argv })
    return run
  }

  /** A run whose keeper was lost. All that can be done with it is to end what is `found` of it, with `endAsAgreed`. */
  static lost(entry: RunEntry, found: readonly ProcessEntry[], host: RunHost): Run {
    const run = new Run({ ...entry, tty: null }, host, { ...entry, found: found.map(describe) })
    const left = found.length === 0 ? 'nothing of it was left' : `ending ${listed(run.#found ?? [])}`
    host.logs.record(entry.log, { type: 'run.lost', run: entry.run, text: `the keeper was lost; ${left}` })
    host.reviewWithin(0)
    return run
  }

  get info(): RunInfo {
    const { run, tag, tty } = this.order
    return {
      run,
      tag,
      identity: this.identity,
      startedAt: this.startedAt,
      tty: tty !== null,
      exited: this.#exit,
      ending: (this.#ending !== null || this.isLost) && !this.#isEmptied,
      ...(this.#found === null ? {} : { lost: { members: this.#found } }),
    }
  }

  get isLost(): boolean {
    return this.#found !== null
  }

  /** Nothing more will be told of it. */
  get isOver(): boolean {
    return this.#isEmptied && (this.#exit !== null || this.#found !== null)
  }

  /** The leader was reaped and nothing is left of its tree, or what is left was given up. */
  get isEmptied(): boolean {
    return this.#isEmptied
  }

  /** The leader was reaped, so that its pid may be given to another process. */
  get hasExited(): boolean {
    return this.#exit !== null
  }

  /** Whether who is alive matters now. */
  get wantsReview(): boolean {
    return !this.#isEmptied && (this.#isRecorded || this.#ending?.killing != null)
  }

  /** False when it cannot take the input now. What this origin has written already counts as written. */
  write(bytes: Buffer, from?: InputOrigin): boolean {
    if (from !== undefined && from.seq <= (this.#typed.get(from.client) ?? -1)) return true
    const isWritten = !this.#isEmptied && this.#process?.write(bytes) === true
    if (isWritten && from !== undefined) this.#rememberTyped(from)
    return isWritten
  }

  /** Those of its members that wait for input on its terminal. */
  readers(members: readonly ProcessEntry[]): readonly number[] {
    if (this.order.tty === null) return []
    if (this.#isLeaderThere()) this.#terminal ??= terminalReaders.terminalOf(this.identity.pid)
    if (this.#terminal === null) return []
    return terminalReaders.waitingFor(
      this.#terminal,
      members.map(({ pid }) => pid),
    )
  }

  resize(cols: number, rows: number): boolean {
    return !this.#isEmptied && this.#process?.resize(cols, rows) === true
  }

  /** Signals the group, or once the leader is gone the members. */
  signal(signal: NodeJS.Signals, members: readonly ProcessEntry[]): boolean {
    if (this.#isLeaderThere()) return send(-this.identity.pid, signal) === 'sent'
    return members.map((member) => signalMember(member, signal)).includes('sent')
  }

  /** Begins to end it, or shortens the time that an end under way leaves. */
  end(order: Pick<EndOrder, 'scope' | 'timeoutMs'> & { readonly signal: NodeJS.Signals }): void {
    if (this.#isEmptied) return
    const isFirst = this.#ending === null
    this.#ending ??= {
      signal: order.signal,
      scope: order.scope,
      deadline: null,
      timer: null,
      extendedTo: 0,
      groupSignalledAt: null,
      signalled: new Set(),
      killing: null,
    }
    this.#killAfter(this.#ending, order.timeoutMs)
    if (isFirst && this.#ending.killing === null) this.#signalFirst(this.#ending)
  }

  /** Begins to end it with the signal, scope and time-out that it was started with. */
  endAsAgreed(): void {
    const { signal, scope, timeoutMs } = this.order.recovery ?? defaultRecovery
    this.end({ signal: parseSignal(signal) ?? 'SIGTERM', scope, timeoutMs })
  }

  /** It asks for more time to end: what is left of it is not killed earlier than in so many milliseconds. */
  extendEnd(ms: number): void {
    const ending = this.#ending
    if (ending === null || ending.deadline === null || ending.killing !== null) return
    ending.extendedTo = performance.now() + ms
    if (ending.extendedTo > ending.deadline) this.#killAt(ending, ending.extendedTo)
  }

  /** Acts on who is alive of it now, and tells what has come to pass. */
  review(members: readonly ProcessEntry[]): void {
    if (!this.wantsReview) return
    if (this.#isRecorded) this.#tellExit(members)
    if (members.length === 0) {
      if (this.#isExitTold) this.#empty([])
      return
    }
    const ending = this.#ending
    if (ending === null) this.#host.reviewWithin(reviewMs.undecided)
    // Of a leader that is not this keeper's child nobody tells when it has ended.
    else if (ending.killing === null && members.some(({ pid }) => pid === this.identity.pid))
      this.#host.reviewWithin(reviewMs.signalled)
    else if (ending.killing !== null) this.#kill(members, ending.killing)
    else this.#signalRest(members, ending)
  }

  /** Gives up its descriptors and timers, whatever runs. */
  abandon(): void {
    if (this.#ending?.timer != null) clearTimeout(this.#ending.timer)
    this.#process?.close()
  }

  async #pause(): Promise<void> {
    if (this.#isPaused) return
    this.#isPaused = true
    await this.#host.logs.drained(this.order.log)
    this.#isPaused = false
    this.#process?.resume()
  }

  async #onExit(exit: ChildExit): Promise<void> {
    this.#exit = { ...exit, at: Date.now() }
    // Not until the end of the output: a child that lives on can hold it open for days.
    this.#process?.drain()
    this.#host.logs.record(this.order.log, { type: 'run.exited', run: this.order.run, ...exit })
    await this.#host.logs.flush(this.order.log)
    this.#isRecorded = true
    if (this.#isEmptied) this.#tellExit([])
    else this.#host.reviewWithin(0)
  }

  #rememberTyped({ client, seq }: InputOrigin): void {
    this.#typed.delete(client)
    this.#typed.set(client, seq)
    const [oldest] = this.#typed.keys()
    if (this.#typed.size > originsRemembered && oldest !== undefined) this.#typed.delete(oldest)
  }

  #tellExit(members: readonly ProcessEntry[]): void {
    if (this.#exit === null || this.#isExitTold) return
    this.#isExitTold = true
    const { code, signal, at } = this.#exit
    this.#host.fact({ type: 'exited', code, signal, members: members.map(describe) }, at)
  }

  #killAfter(ending: Ending, timeoutMs: number | null): void {
    if (timeoutMs === null || ending.killing !== null) return
    const now = performance.now()
    const deadline = timeoutMs <= 0 ? now : Math.max(now + timeoutMs, ending.extendedTo)
    if (ending.deadline === null || deadline < ending.deadline) this.#killAt(ending, deadline)
  }

  #killAt(ending: Ending, deadline: number): void {
    ending.deadline = deadline
    if (ending.timer !== null) clearTimeout(ending.timer)
    const startKilling = (): void => {
      ending.killing = { since: performance.now(), isTold: false }
      this.#host.reviewWithin(0)
    }
    const delay = deadline - performance.now()
    if (delay <= 0) startKilling()
    else ending.timer = setTimeout(startKilling, delay)
  }

  #signalFirst(ending: Ending): void {
    const { pid } = this.identity
    if (!this.#isLeaderThere()) {
      this.#host.reviewWithin(0)
      return
    }
    if (ending.scope === 'group') ending.groupSignalledAt = startTimeNow()
    const { signal, scope } = ending
    this.#host.signalled({ signal, to: scope, result: send(scope === 'group' ? -pid : pid, signal) })
    send(-pid, 'SIGCONT') // what is stopped would not notice
  }

  /** The leader is gone: everyone who has not had the signal gets it. */
  #signalRest(members: readonly ProcessEntry[], ending: Ending): void {
    for (const member of members) {
      const key = `${member.pid}@${member.startTime}`
      if (ending.signalled.has(key)) continue
      ending.signalled.add(key)
      // Twice can mean "at once" to those who clean up at the first.
      const { groupSignalledAt } = ending
      const hadIt =
        groupSignalledAt !== null && member.group === this.identity.pid && member.startTime < groupSignalledAt
      if (!hadIt) this.#tellSignal(member, ending.signal, signalMember(member, ending.signal))
      if (member.state === 'T') signalMember(member, 'SIGCONT')
    }
    this.#host.reviewWithin(reviewMs.signalled)
  }

  /** Again and again, because members may be forking. */
  #kill(members: readonly ProcessEntry[], killing: { readonly since: number; isTold: boolean }): void {
    const isFirst = !killing.isTold
    if (isFirst) this.#host.fact({ type: 'killed', members: members.map(describe) })
    killing.isTold = true
    if (this.#isLeaderThere()) send(-this.identity.pid, 'SIGKILL')
    const denied = members.filter((member) => {
      const result = signalMember(member, 'SIGKILL')
      if (isFirst) this.#tellSignal(member, 'SIGKILL', result)
      return result === 'denied'
    })
    // A terminal that hangs up reaches also those that this user may not signal.
    if (denied.length > 0) this.#process?.close()
    const elapsed = performance.now() - killing.since
    const isHopeless = denied.length === members.length && elapsed > giveUpMs.denied
    if (!isHopeless && elapsed <= giveUpMs.stuck) {
      this.#host.reviewWithin(reviewMs.killing)
      return
    }
    this.#empty(members.map((member) => ({ ...describe(member), reason: whyAlive(member, denied.includes(member)) })))
  }

  #tellSignal({ pid }: ProcessEntry, signal: NodeJS.Signals, result: Sent): void {
    this.#host.signalled({ signal, to: pid, result })
  }

  #empty(survivors: readonly (Member & { readonly reason: string })[]): void {
    this.#isEmptied = true
    if (this.#ending?.timer != null) clearTimeout(this.#ending.timer)
    this.#process?.drain()
    this.#process?.close()
    this.#host.logs.release(this.order.log)
    this.#host.fact({ type: 'emptied', survivors })
  }

  /** As a zombie too: until it is reaped, its pid and group are nobody else's. */
  #isLeaderThere(): boolean {
    return this.#exit === null && startTimeOf(this.identity.pid) === this.identity.startTime
  }
}

/** "123 (node server.js), 124 (sh)". */
function listed(members: readonly Member[]): string {
  return members.map(({ pid, command }) => `${pid} (${command})`).join(', ')
}

function describe(member: ProcessEntry): Member {
  return { pid: member.pid, command: commandLineOf(member) }
}

function whyAlive(member: ProcessEntry, isDenied: boolean): string {
  if (isDenied) return 'This user may not signal it'
  return member.state === 'D' ? 'The system holds it in an uninterruptible wait' : 'It did not end'
}

type Sent = 'sent' | 'gone' | 'denied'

/** Only if the pid still names the process that was seen. */
function signalMember(member: ProcessEntry, signal: NodeJS.Signals): Sent {
  return startTimeOf(member.pid) === member.startTime ? send(member.pid, signal) : 'gone'
}

function send(target: number, signal: NodeJS.Signals): Sent {
  try {
    process.kill(target, signal)
    return 'sent'
  } catch (error) {
    if (isErrno(error, 'EPERM')) return 'denied'
    return 'gone' // ESRCH
  }
}
