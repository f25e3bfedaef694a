// The HTTP API of the daemon as typed functions.
import type { IncomingMessage } from 'node:http'
import { apiPrefix, errorKinds, LocaldError } from '@locald/protocol'
import type {
  AllProjects,
  EnvVariable,
  ErrorBody,
  EventSnapshot,
  LocaldEvent,
  LogLine,
  OrderAnswer,
  OrderRequest,
  PortRow,
  ProjectSelector,
  ProjectStatus,
  ServerStatus,
  WhyAnswer,
} from '@locald/protocol'
import { bodyChunks, bodyText, ConnectionLost, NobodyListens, sendRequest } from './http-request.ts'
import { readJsonLines } from './json-lines.ts'
import { LogPlace } from './log-place.ts'
import { queryText } from './query.ts'
import type { Query } from './query.ts'
import { reconnecting } from './reconnecting.ts'
import type { ReconnectOptions } from './reconnecting.ts'
import { readServerSentEvents } from './server-sent-events.ts'

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
  readonly signal?: AbortSignal
}

/** Every call rejects with a LocaldError when the daemon refuses or cannot be reached. */
export interface ApiClient {
  server(): Promise<ServerStatus>
  /** One project, or all when the selector finds none or `all` is set. */
  status(selector: ProjectSelector, all?: boolean): Promise<ProjectStatus | AllProjects>
  order(request: OrderRequest): Promise<OrderAnswer>
  env(
    selector: ProjectSelector,
    service: string,
  ): Promise<{ readonly service: string; readonly variables: readonly EnvVariable[] }>
  ports(selector: ProjectSelector): Promise<{ readonly ports: readonly PortRow[] }>
  why(selector: ProjectSelector, service: string): Promise<WhyAnswer>
  /** With `follow` it goes on until the signal aborts, over a replacement of the daemon. */
  logs(selector: ProjectSelector, request: LogsRequest): AsyncIterable<LogLine>
  /** Goes on until the signal aborts, over a replacement of the daemon. */
  events(selector: ProjectSelector, request: EventsRequest): AsyncIterable<LocaldEvent | EventSnapshot>
  stopServer(): Promise<void>
  restartServer(): Promise<void>
}

export interface ApiClientOptions {
  readonly socket: string
  /** Called with the daemon's version, once for each different one. */
  readonly onVersion?: (version: string) => void
  /** For the head of a plain answer. Default 30 s. */
  readonly timeoutMs?: number
  /** See `reconnecting`. */
  readonly delaysMs?: readonly number[]
}

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { socket, timeoutMs = 30_000 } = options
  let seenVersion: string | undefined

  async function send(method: 'GET' | 'POST', path: string, rest: SendRest = {}): Promise<IncomingMessage> {
    const answer = await sendRequest({ socket, method, path: `${apiPrefix}${path}`, ...rest })
    const version = answer.headers['locald-version']
    if (typeof version === 'string' && version !== seenVersion) {
      seenVersion = version
      options.onVersion?.(version)
    }
    if ((answer.statusCode ?? 0) >= 400) throw await refusal(answer, seenVersion)
    return answer
  }

  async function ask<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    // A daemon that is replaced takes unanswered requests with it. All of them may be sent again: orders carry an id.
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await send(method, path, { timeoutMs, ...(body === undefined ? {} : { body }) })
        return JSON.parse(await bodyText(answer)) as T
      } catch (error) {
        if (error instanceof NobodyListens) throw unreachable(error)
        if (!(error instanceof ConnectionLost)) throw error
        if (attempt === 5) throw unreachable(error)
      }
    }
  }

  async function* openLogs(query: Query, signal: AbortSignal | undefined): AsyncGenerator<LogLine> {
    const answer = await send('GET', `/logs${queryText(query)}`, signal === undefined ? {} : { signal })
    for await (const line of readJsonLines(bodyChunks(answer, signal))) yield line as LogLine
  }

  async function* openEvents(
    query: Query,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LocaldEvent | EventSnapshot> {
    const answer = await send('GET', `/events${queryText(query)}`, signal === undefined ? {} : { signal })
    for await (const event of readServerSentEvents(bodyChunks(answer, signal))) {
      yield JSON.parse(event.data) as LocaldEvent | EventSnapshot
    }
  }

  async function* readLogs(query: Query, { finish, signal }: LogsRequest): AsyncGenerator<LogLine> {
    const place = new LogPlace(query)
    const isFollowing = query['follow'] === 1
    const ending = anySignal([signal, finish])
    const open = (): AsyncIterable<LogLine> => place.track(openLogs(place.query(isFollowing), ending))
    yield* reconnecting(open, streamOptions(ending, isFollowing))
    if (!isFollowing || signal?.aborted === true) return
    yield* reconnecting(() => place.track(openLogs(place.query(false), signal)), streamOptions(signal, false))
  }

  async function* readEvents(
    query: Query,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LocaldEvent | EventSnapshot> {
    let next = query
    const open = (): AsyncIterable<LocaldEvent | EventSnapshot> => openEvents(next, signal)
    for await (const event of reconnecting(open, streamOptions(signal, true))) {
      next = { ...query, after: event.seq }
      yield event
    }
  }

  const streamOptions = (signal: AbortSignal | undefined, endless: boolean): ReconnectOptions => ({
    endless,
    ...(signal === undefined ? {} : { signal }),
    ...(options.delaysMs === undefined ? {} : { delaysMs: options.delaysMs }),
  })

  return {
    server: () => ask('GET', '/server'),
    status: (selector, all = false) =>
      ask('GET', `/status${queryText({ ...place(selector), all: all ? 1 : undefined })}`),
    order: (request) => ask('POST', '/orders', request),
    env: (selector, service) => ask('GET', `/env${queryText({ ...place(selector), service })}`),
    ports: (selector) => ask('GET', `/ports${queryText(place(selector))}`),
    why: (selector, service) => ask('GET', `/why${queryText({ ...place(selector), service })}`),
    logs: (selector, request) => {
      const { services = [], follow = false, tail, since, until, grep, run } = request
      const query = { ...place(selector), service: services, tail, since, until, grep, run }
      return readLogs({ ...query, follow: follow ? 1 : undefined }, request)
    },
    events: (selector, { after, foreground, isOnce = false, signal }) => {
      const query = { ...place(selector), after, foreground }
      return isOnce ? onceOnly(openEvents(query, signal)) : readEvents(query, signal)
    },
    stopServer: async () => {
      await ask('POST', '/server/stop', {})
    },
    restartServer: async () => {
      await ask('POST', '/server/restart', {})
    },
  }
}

interface SendRest {
  readonly body?: unknown
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

function place({ dir, file }: ProjectSelector): Query {
  return { dir, file }
}

async function* onceOnly<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
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

function unreachable(cause: unknown): LocaldError {
  return new LocaldError('daemon_unreachable', 'The daemon cannot be reached', { cause })
}

/** What a refused request is thrown as. An answer that is not ours comes from a daemon without this version of the API. */
async function refusal(answer: IncomingMessage, version: string | undefined): Promise<LocaldError> {
  const text = await bodyText(answer)
  const body = parsedErrorBody(text)
  // Its own 404s are about a project, a service or a file: any other says that there is no such route.
  const isUnknownRoute = answer.statusCode === 404 && body?.error.code === 'request_invalid'
  if (body === null || isUnknownRoute) {
    const known = version === undefined ? 'The daemon' : `The daemon (version ${version})`
    return new LocaldError('version_mismatch', `${known} does not speak version 1 of the API`, {
      cause: new Error(`Answer with status ${answer.statusCode ?? 0}: ${text.slice(0, 200)}`),
      hint: 'Restart it with this version: locald server restart',
    })
  }
  const { code, message, hint, diagnostics } = body.error
  return new LocaldError(code in errorKinds ? code : 'internal', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(diagnostics === undefined ? {} : { diagnostics }),
  })
}

function parsedErrorBody(text: string): ErrorBody | null {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || !('error' in body)) return null
    const { error } = body
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return null
    return typeof error.code === 'string' && typeof error.message === 'string' ? (body as ErrorBody) : null
  } catch {
    return null // Not JSON, so not an error of ours.
  }
}
