// What somebody who is attached to a container sees. Its terminal is shown as it is written, to the byte; a recording has it a line at
// a time, and says where runs begin and end, and what was written before the terminal was opened.
import { setTimeout as sleep } from 'node:timers/promises'
import type { AttachMessage } from '@locald/protocol'
import type { ContainerTerminal } from '../container/container-terminal.ts'
import type { LogFollow } from '../logs/log-reader.ts'
import { rawOutput, rawTail } from '../logs/raw-output.ts'
import type { RawItem } from '../logs/raw-output.ts'
import { runOf } from '../supervisor/instance.ts'
import { outputMessage, recordMessage } from './attach-messages.ts'
import type { AttachTarget } from './attach-target.ts'

/** Terminals of containers, by run. */
export interface ContainerTerminals {
  readonly terminal: (run: string) => ContainerTerminal | null
  readonly onTerminal: (listener: () => void) => Disposable
}

/** A recording that has been silent for so long has told what was written before. */
const quietMs = 150
/** What a container wrote last comes before its exit, unless the engine forgets about it. */
const lastWordsMs = 1000

export class ContainerAttachment {
  readonly #target: AttachTarget
  readonly #terminals: ContainerTerminals
  #recorded: string
  #run: number
  #terminal: ContainerTerminal | null
  /** Id of the terminal that was read up to `#end`. */
  #read: string
  #end: number
  /** Something that was written before the terminal was opened is still to be shown. */
  #isBehind: boolean

  private constructor(
    target: AttachTarget,
    terminals: ContainerTerminals,
    place: { readonly recorded: string; readonly read: string; readonly end: number },
    isBehind: boolean,
  ) {
    const instance = target.current()
    this.#target = target
    this.#terminals = terminals
    this.#recorded = place.recorded
    this.#read = place.read
    this.#end = place.end
    this.#run = instance?.memory.runs ?? 0
    this.#terminal = terminalOf(target, terminals)
    this.#isBehind = isBehind && this.#terminal?.id !== place.read
  }

  /** From now on, with what may be on the screen. */
  static async begin(
    target: AttachTarget,
    terminals: ContainerTerminals,
  ): Promise<{ readonly screen: Buffer; readonly attachment: ContainerAttachment }> {
    const terminal = terminalOf(target, terminals)
    const shown = terminal?.read(0)
    const before = terminal?.openedAt ?? Infinity
    const { bytes, cursor } = await rawTail(target.source, target.current()?.memory.runs ?? 0, { before })
    const place = { recorded: cursor, read: terminal?.id ?? '', end: shown?.end ?? 0 }
    const screen = Buffer.concat([bytes, shown?.bytes ?? Buffer.alloc(0)])
    return { screen, attachment: new ContainerAttachment(target, terminals, place, terminal === null) }
  }

  /** From a cursor on. Another daemon's terminals are others: what was not recorded then is shown from the recording now. */
  static resume(target: AttachTarget, terminals: ContainerTerminals, cursor: string): ContainerAttachment {
    const [recorded = '', read = '', end = ''] = cursor.split('.')
    return new ContainerAttachment(target, terminals, { recorded, read, end: Number(end) || 0 }, true)
  }

  get cursor(): string {
    return `${this.#recorded}.${this.#read}.${this.#end}`
  }

  /** Until `follow.signal` aborts, and what has been written by then. */
  async *messages(follow: LogFollow): AsyncGenerator<AttachMessage, void, undefined> {
    const records = rawOutput(this.#target.source, this.#recorded, follow)
    const awake = new Alarm()
    using _opened = this.#terminals.onTerminal(() => awake.ring())
    try {
      let next = records.next()
      for (;;) {
        this.#terminal ??= terminalOf(this.#target, this.#terminals)
        if (!this.#isBehind) yield* this.#written()
        const over = new AbortController()
        const wait = this.#isBehind && this.#terminal !== null ? sleep(quietMs, 'quiet', { signal: over.signal }) : null
        const grown = this.#isBehind ? null : this.#terminal?.grown(this.#end, over.signal)
        const told = await Promise.race([next, awake.rung(), ...[wait, grown].filter((one) => one != null)])
        wait?.catch(() => undefined)
        over.abort()
        if (told === 'quiet') this.#isBehind = false
        if (typeof told !== 'object') continue
        if (told.done === true) break
        for (const item of told.value) yield* this.#shown(item)
        next = records.next()
      }
      yield* this.#written()
    } finally {
      await records.return()
    }
  }

  /** What the terminal has, and was not shown yet. */
  *#written(): Generator<AttachMessage, void, undefined> {
    if (this.#terminal === null) return
    if (this.#terminal.id !== this.#read) [this.#read, this.#end] = [this.#terminal.id, 0]
    const { bytes, end, missing } = this.#terminal.read(this.#end)
    this.#end = end
    if (missing > 0) yield { type: 'missing', bytes: missing, cursor: this.cursor }
    if (bytes.length > 0) yield outputMessage(this.#run, bytes, this.cursor)
  }

  async *#shown(item: RawItem): AsyncGenerator<AttachMessage, void, undefined> {
    this.#recorded = item.cursor()
    const { cursor } = this
    if (item.type === 'missing') yield { type: 'missing', bytes: item.bytes, cursor }
    else if (item.type === 'output') {
      const isOlder = item.run !== this.#run || this.#terminal === null || item.at < this.#terminal.openedAt
      if (isOlder) yield outputMessage(item.run, item.bytes, cursor)
      else this.#isBehind = false
    } else {
      const message = recordMessage(item)
      if (message === null) return
      if (message.type === 'started') this.#begin(item)
      else if (this.#terminal !== null) {
        await Promise.race([this.#terminal.ended, sleep(lastWordsMs, undefined, { ref: false })])
        yield* this.#written()
        this.#terminal = null
      }
      yield { ...message, cursor: this.cursor }
    }
  }

  #begin({ run, record }: RawItem & { type: 'record' }): void {
    const { run: id } = record
    this.#run = run
    this.#terminal = typeof id === 'string' ? this.#terminals.terminal(id) : null
    this.#isBehind = false
  }
}

function terminalOf(target: AttachTarget, terminals: ContainerTerminals): ContainerTerminal | null {
  const instance = target.current()
  const run = instance === undefined ? null : runOf(instance)
  return run === null ? null : terminals.terminal(run.id)
}

/** Wakes who waits for it, each time that it rings. */
class Alarm {
  #ring: () => void = () => undefined

  ring(): void {
    this.#ring()
  }

  async rung(): Promise<void> {
    await new Promise<void>((resolve) => (this.#ring = resolve))
  }
}
