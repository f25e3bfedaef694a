// Who is attached to which terminal: hands on what a service writes and what somebody types, and decides the terminal's size.
import type {
  AttachInput,
  AttachInputAnswer,
  AttachMessage,
  LocaldEvent,
  ServiceState,
  TerminalSize,
} from '@locald/protocol'
import type { AttachRequest } from '../api/daemon-control.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { Logger } from '../lib/logger.ts'
import { lastScreenful } from '../lib/terminal-replay.ts'
import type { LogFollow } from '../logs/log-reader.ts'
import { rawOutput, rawTail } from '../logs/raw-output.ts'
import type { RawItem } from '../logs/raw-output.ts'
import { isActive, isSpawned, runOf, stateShown } from '../supervisor/instance.ts'
import type { Instance } from '../supervisor/instance.ts'
import { outputMessage, recordMessage } from './attach-messages.ts'
import type { AttachTarget } from './attach-target.ts'
import { ContainerAttachment } from './container-attachment.ts'
import type { ContainerTerminals } from './container-attachment.ts'
import { ContainerInput } from './container-input.ts'
import { defaultTerminalSize } from './terminal-size.ts'

export interface AttachmentsOptions {
  readonly keeper: KeeperLink
  readonly terminals: ContainerTerminals
  readonly onGrew: LogFollow['onGrew']
  /** Calls `listener` with every event from now on; returns how to stop that. */
  readonly onEvent: (listener: (event: LocaldEvent) => void) => () => void
  /** Somebody typed something for what writes to this stream. */
  readonly onTyped: (stream: string) => void
  readonly logger: Logger
}

/** A client on one connection. */
interface Seat {
  readonly client: string
  size: TerminalSize | null
  /** Milliseconds since the epoch; 0: never. */
  typedAt: number
}

export class Attachments {
  readonly #options: AttachmentsOptions
  readonly #containerInput: ContainerInput
  /** By stream, in the order in which they came. */
  readonly #seats = new Map<string, Set<Seat>>()

  constructor(options: AttachmentsOptions) {
    this.#options = options
    this.#containerInput = new ContainerInput(options.terminals.terminal)
  }

  /** The terminal from its last screenful, or from a cursor, on, until the instance is down or `signal` aborts. */
  async *attach(
    target: AttachTarget,
    { client, size, typedAt, cursor }: AttachRequest,
    signal: AbortSignal,
  ): AsyncGenerator<AttachMessage, void, undefined> {
    const { source, tty } = target
    const finish = new AbortController()
    const seat: Seat = { client, size, typedAt }
    const leave = this.#sit(target, seat)
    const stop = this.#options.onEvent((event) => {
      if (!isAbout(event, target)) return
      if (event.type === 'service.spawned') this.#resize(target)
      if (isDown(target.current())) finish.abort()
    })
    try {
      const run = target.current()?.memory.runs ?? 0
      const attached = { type: 'attached', service: source.label, run, tty } as const
      const ending = AbortSignal.any([finish.signal, signal])
      const follow = { signal: ending, onGrew: this.#options.onGrew }
      const rows = (size ?? defaultTerminalSize).rows
      const shown = target.isContainer
        ? this.#containerOutput(target, attached, { cursor, rows, follow })
        : recordedOutput(target, attached, { cursor, rows, follow })
      if (isDown(target.current())) finish.abort()
      let last = cursor ?? ''
      for await (const message of shown) {
        if (signal.aborted) return
        last = message.cursor
        yield message
      }
      if (!signal.aborted) yield { type: 'ended', ...endOf(target.current()), cursor: last }
    } finally {
      stop()
      leave()
    }
  }

  async *#containerOutput(
    target: AttachTarget,
    attached: Attached,
    { cursor, rows, follow }: From,
  ): AsyncGenerator<AttachMessage, void, undefined> {
    const { terminals } = this.#options
    let attachment: ContainerAttachment
    if (cursor === undefined) {
      const begun = await ContainerAttachment.begin(target, terminals)
      attachment = begun.attachment
      yield { ...attached, data: lastScreenful(begun.screen, rows).toString('base64'), cursor: attachment.cursor }
    } else {
      attachment = ContainerAttachment.resume(target, terminals, cursor)
      yield { ...attached, data: '', cursor }
    }
    yield* attachment.messages(follow)
  }

  /** What somebody types gives the terminal the size of theirs. */
  async input(target: AttachTarget, input: AttachInput): Promise<AttachInputAnswer> {
    const instance = target.current()
    const run = instance === undefined ? null : runOf(instance)
    if (run === null || !isSpawned(run) || run.number !== input.run) return { taken: false }
    const { client, seq, data, size, reply = false } = input
    const mine = [...this.#seatsOf(target)].filter((seat) => seat.client === client)
    for (const seat of mine) seat.size = size
    if (reply && !this.#answers(target, client)) return { taken: true }
    if (data !== '' && !reply) for (const seat of mine) seat.typedAt = Date.now()
    if (this.#sizer(target)?.client === client) this.#resize(target)
    // Its connection was lost with the last daemon, and is not there again yet.
    else if (mine.length === 0 && size !== null && data !== '' && !reply) this.#resize(target, size)
    if (data === '') return { taken: true }
    const written = target.isContainer
      ? this.#containerInput.write(run.id, input)
      : (await this.#options.keeper.request('write', { run: run.id, data, from: { client, seq } })).written
    if (written) this.#options.onTyped(target.source.stream)
    return { taken: written }
  }

  #sit(target: AttachTarget, seat: Seat): () => void {
    const { stream } = target.source
    const seats = this.#seats.get(stream) ?? new Set()
    this.#seats.set(stream, seats.add(seat))
    if (this.#sizer(target) === seat) this.#resize(target)
    return () => {
      const decided = this.#sizer(target) === seat
      seats.delete(seat)
      if (seats.size === 0) this.#seats.delete(stream)
      if (decided) this.#resize(target)
    }
  }

  #seatsOf({ source }: AttachTarget): ReadonlySet<Seat> {
    return this.#seats.get(source.stream) ?? new Set()
  }

  /** The one who typed last. */
  #sizer(target: AttachTarget): Seat | null {
    let last: Seat | null = null
    for (const seat of this.#seatsOf(target)) {
      if (seat.typedAt > 0 && seat.size !== null && seat.typedAt >= (last?.typedAt ?? 0)) last = seat
    }
    return last
  }

  /** A program asks its terminal once; of several terminals one answers. */
  #answers(target: AttachTarget, client: string): boolean {
    const [first] = this.#seatsOf(target)
    const one = this.#sizer(target) ?? first
    return one === undefined || one.client === client
  }

  /** Does nothing to a terminal that has this size already. */
  #resize(target: AttachTarget, size = this.#sizer(target)?.size ?? defaultTerminalSize): void {
    const instance = target.current()
    const run = instance === undefined ? null : runOf(instance)
    if (!target.tty || run === null || !isSpawned(run)) return
    const { keeper, terminals } = this.#options
    const resized: Promise<unknown> = target.isContainer
      ? Promise.resolve(terminals.terminal(run.id)?.resize(size))
      : keeper.request('resize', { run: run.id, ...size })
    resized.catch((error: unknown) => {
      this.#options.logger.log('warn', 'Cannot change the size of a terminal', { run: run.id, error })
    })
  }
}

type Attached = Omit<AttachMessage & { readonly type: 'attached' }, 'data' | 'cursor'>

/** Where somebody goes on, or how much of a screen is shown first. */
interface From {
  readonly cursor: string | undefined
  readonly rows: number
  readonly follow: LogFollow
}

/** A process's terminal: what is recorded of it is what was written, byte for byte. */
async function* recordedOutput(
  { source }: AttachTarget,
  attached: Attached,
  { cursor, rows, follow }: From,
): AsyncGenerator<AttachMessage, void, undefined> {
  let from = cursor
  if (from === undefined) {
    const tail = await rawTail(source, attached.run)
    from = tail.cursor
    yield { ...attached, data: lastScreenful(tail.bytes, rows).toString('base64'), cursor: from }
  } else yield { ...attached, data: '', cursor: from }
  for await (const items of rawOutput(source, from, follow)) yield* messagesOf(items)
}

/** Whether the instance has ended and nothing starts it by itself. */
function isDown(instance: Instance | undefined): boolean {
  return instance === undefined || !isActive(instance)
}

function endOf(instance: Instance | undefined): { readonly state: ServiceState; readonly reason: string | null } {
  if (instance === undefined) return { state: 'stopped', reason: 'removed from the configuration' }
  const { state, memory } = instance
  return { state: stateShown(state), reason: state.id === 'failed' ? state.reason : (memory.exit?.reason ?? null) }
}

function isAbout(event: LocaldEvent, target: AttachTarget): boolean {
  return (
    'service' in event &&
    event.project === target.project &&
    event.service === target.service &&
    event.instance === target.instance
  )
}

/** Output that lies together goes together. */
function* messagesOf(items: readonly RawItem[]): Generator<AttachMessage> {
  let output: Buffer[] = []
  for (const [index, item] of items.entries()) {
    if (item.type === 'output') {
      output.push(item.bytes)
      const following = items[index + 1]
      if (following?.type === 'output' && following.run === item.run) continue
      yield outputMessage(item.run, Buffer.concat(output), item.cursor())
      output = []
    } else {
      const message = item.type === 'missing' ? ({ type: 'missing', bytes: item.bytes } as const) : recordMessage(item)
      if (message !== null) yield { ...message, cursor: item.cursor() }
    }
  }
}
