// Those answers of the API that go on. Loaded with the first of them: `status` needs none.
import type { IncomingMessage } from 'node:http'
import { apiPrefix } from '@locald/protocol'
import type { AttachMessage, EventSnapshot, LocaldError, LocaldEvent, LogLine, TerminalSize } from '@locald/protocol'
import { readJsonBatches, readJsonLines } from './json-lines.ts'
import { LogPlace } from './log-place.ts'
import { queryText } from './query.ts'
import type { Query } from './query.ts'
import { reconnecting } from './reconnecting.ts'
import type { ReconnectOptions } from './reconnecting.ts'
import { refusal } from './refusal.ts'
import { ConnectionLost, NobodyListens } from './request-errors.ts'
import { readServerSentEvents } from './server-sent-events.ts'
import { bodyChunks, bodyText, openStream } from './stream-request.ts'

export interface LogsRequest {
  /** Labels or names; none: all services of the project. */
  readonly services?: readonly string[]
  readonly tail?: number
  /** Milliseconds since the epoch. */
  readonly since?: number
  readonly until?: number
  readonly grep?: string
  readonly run?: number
  readonly follow?: boolean
  /** Ends following: what is recorded by then still comes. */
  readonly finish?: AbortSignal
  readonly signal?: AbortSignal
}

export interface EventsRequest {
  /** Events after this number; absent: a snapshot first, then everything after it. */
  readonly after?: number
  /** The order of a foreground `start` that this stream keeps alive. */
  readonly foreground?: string
  /** Ends with the connection instead of opening another. Default false. */
  readonly isOnce?: boolean
  /** Go on with what happens; else the end is where it is now. Default true. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

export interface AttachRequest {
  /** Label or name of one instance. */
  readonly service: string
  /** Unguessable; the same as in its input. */
  readonly client: string
  /** Asked at each connection, because both change. */
  readonly state: () => { readonly size: TerminalSize | null; readonly typedAt: number }
  readonly signal?: AbortSignal
}

/** `query` is what to ask for, but for `follow` and where to go on. */
export interface ApiStreams {
  logs(query: Query, request: LogsRequest): AsyncIterable<readonly LogLine[]>
  events(query: Query, request: EventsRequest): AsyncIterable<LocaldEvent | EventSnapshot>
  attach(query: Query, request: AttachRequest): AsyncIterable<AttachMessage>
}

export interface ApiStreamsOptions {
  readonly socket: string
  readonly noteVersion: (version: string | undefined) => void
  /** See `reconnecting`. */
  readonly delaysMs?: readonly number[]
}

export function createApiStreams({ socket, noteVersion, delaysMs }: ApiStreamsOptions): ApiStreams {
  async function open(path: string, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const answer = await openStream({
      socket,
      path: `${apiPrefix}${path}`,
      ...(signal === undefined ? {} : { signal }),
    })
    const { statusCode: status = 0, headers } = answer
    const header = headers['locald-version']
    const version = typeof header === 'string' ? header : undefined
    noteVersion(version)
    if (status >= 400) throw refusal({ status, text: await bodyText(answer), version })
    return answer
  }

  async function* openLogs(query: Query, signal: AbortSignal | undefined): AsyncGenerator<readonly LogLine[]> {
    const answer = await open(`/logs${queryText(query)}`, signal)
    for await (const lines of readJsonBatches(bodyChunks(answer, signal))) {
      const last = lines.at(-1)
      if (!isError(last)) yield lines as readonly LogLine[]
      else {
        if (lines.length > 1) yield lines.slice(0, -1) as readonly LogLine[]
        throw refusalOf(last)
      }
    }
  }

  async function* openEvents(
    query: Query,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LocaldEvent | EventSnapshot> {
    const answer = await open(`/events${queryText(query)}`, signal)
    for await (const event of readServerSentEvents(bodyChunks(answer, signal))) {
      yield JSON.parse(event.data) as LocaldEvent | EventSnapshot
    }
  }

  async function* logs(
    query: Query,
    { follow = false, finish, signal }: LogsRequest,
  ): AsyncGenerator<readonly LogLine[]> {
    const place = new LogPlace(query)
    const ending = anySignal([signal, finish])
    const following = (): AsyncIterable<readonly LogLine[]> => place.track(openLogs(place.query(follow), ending))
    yield* reconnecting(following, reconnectOptions(ending, follow))
    if (!follow || signal?.aborted === true) return
    const rest = (): AsyncIterable<readonly LogLine[]> => place.track(openLogs(place.query(false), signal))
    yield* reconnecting(rest, reconnectOptions(signal, false))
  }

  async function* events(
    query: Query,
    { isOnce = false, follow = true, signal }: EventsRequest,
  ): AsyncGenerator<LocaldEvent | EventSnapshot> {
    if (isOnce) {
      yield* untilLost(openEvents(query, signal))
      return
    }
    let next = query
    const following = (): AsyncIterable<LocaldEvent | EventSnapshot> => openEvents(next, signal)
    for await (const event of reconnecting(following, reconnectOptions(signal, follow))) {
      next = { ...query, after: event.seq }
      yield event
    }
  }

  async function* openAttached(query: Query, signal: AbortSignal | undefined): AsyncGenerator<AttachMessage> {
    const answer = await open(`/attach${queryText(query)}`, signal)
    for await (const message of readJsonLines(bodyChunks(answer, signal))) {
      if (isError(message)) throw refusalOf(message)
      yield message as AttachMessage
    }
  }

  async function* attach(query: Query, { state, signal }: AttachRequest): AsyncGenerator<AttachMessage> {
    let cursor: string | undefined
    const following = (): AsyncIterable<AttachMessage> => {
      const { size, typedAt } = state()
      return openAttached({ ...query, cols: size?.cols, rows: size?.rows, typed_at: typedAt, cursor }, signal)
    }
    for await (const message of reconnecting(following, reconnectOptions(signal, true))) {
      cursor = message.cursor
      yield message
      if (message.type === 'ended') return
    }
  }

  const reconnectOptions = (signal: AbortSignal | undefined, endless: boolean): ReconnectOptions => ({
    endless,
    ...(signal === undefined ? {} : { signal }),
    ...(delaysMs === undefined ? {} : { delaysMs }),
  })

  return { logs, events, attach }
}

/** What the daemon objects to when its answer has begun already: the last line. */
function isError(line: unknown): line is object {
  return typeof line === 'object' && line !== null && 'error' in line
}

function refusalOf(line: object): LocaldError {
  return refusal({ status: 200, text: JSON.stringify(line), version: undefined })
}

async function* untilLost<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    if (!(error instanceof ConnectionLost || error instanceof NobodyListens)) throw error
  }
}

function anySignal(signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined)
  return given.length === 0 ? undefined : AbortSignal.any(given)
}
