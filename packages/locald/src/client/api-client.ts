// The HTTP API of the daemon as typed functions.
import { apiPrefix, LocaldError } from '@locald/protocol'
import type {
  AliasEntry,
  AllProjects,
  AttachInput,
  AttachInputAnswer,
  AttachMessage,
  EnvAnswer,
  EventSnapshot,
  LocaldEvent,
  LogLine,
  OrderAnswer,
  OrderRequest,
  PinRequest,
  PortRow,
  ProjectSelector,
  ProjectStatus,
  RegistryEntry,
  RegistryList,
  RestartRequest,
  ServerStatus,
  ServiceProcesses,
  StopRequest,
  UrlAnswer,
  WhyAnswer,
} from '@locald/protocol'
import type { ApiStreams, AttachRequest, EventsRequest, LogsRequest } from './api-streams.ts'
import { sendPlainRequest } from './plain-request.ts'
import { queryText } from './query.ts'
import type { Query } from './query.ts'
import { refusal } from './refusal.ts'
import { ConnectionLost, NobodyListens } from './request-errors.ts'

/** Every call rejects with a LocaldError when the daemon refuses or cannot be reached. */
export interface ApiClient {
  server(): Promise<ServerStatus>
  /** One project, or all when the selector finds none or `all` is set. */
  status(selector: ProjectSelector, all?: boolean): Promise<ProjectStatus | AllProjects>
  order(request: OrderRequest): Promise<OrderAnswer>
  env(selector: ProjectSelector, service: string): Promise<EnvAnswer>
  ports(selector: ProjectSelector): Promise<{ readonly ports: readonly PortRow[] }>
  why(selector: ProjectSelector, service: string): Promise<WhyAnswer>
  /** Of the service that has the project's own name when none is named. */
  url(selector: ProjectSelector, service?: string): Promise<UrlAnswer>
  /** Who is alive of these services (labels or names; none: of all). */
  processes(
    selector: ProjectSelector,
    services: readonly string[],
  ): Promise<{ readonly services: readonly ServiceProcesses[] }>
  /** With `follow` it goes on until the signal aborts, over a replacement of the daemon. */
  logs(selector: ProjectSelector, request: LogsRequest): AsyncIterable<LogLine>
  /** The same, as many at a time as there are. */
  logBatches(selector: ProjectSelector, request: LogsRequest): AsyncIterable<readonly LogLine[]>
  /** The terminal of an instance, until the signal aborts or the instance is down, over a replacement of the daemon. */
  attach(selector: ProjectSelector, request: AttachRequest): AsyncIterable<AttachMessage>
  /** Sent again when the daemon was replaced; typed once. */
  type(input: AttachInput): Promise<AttachInputAnswer>
  /** Goes on until the signal aborts, over a replacement of the daemon; without `follow`, until now. */
  events(selector: ProjectSelector, request: EventsRequest): AsyncIterable<LocaldEvent | EventSnapshot>
  aliases(): Promise<{ readonly aliases: readonly AliasEntry[] }>
  /** Replaces one of that name. */
  setAlias(host: string, port: number): Promise<{ readonly alias: AliasEntry }>
  removeAlias(host: string): Promise<{ readonly removed: boolean }>
  registry(): Promise<RegistryList>
  pin(request: PinRequest): Promise<RegistryEntry>
  /** Resolves with what was removed. */
  cleanRegistry(): Promise<RegistryList>
  /** With its logs, by its id; not while anything of it runs. */
  forgetProject(id: string): Promise<RegistryList>
  stopServer(how?: StopRequest): Promise<void>
  /** `by`: what to start the next daemon from. */
  restartServer(by?: RestartRequest): Promise<void>
}

export interface ApiClientOptions {
  readonly socket: string
  /** Called with the daemon's version, once for each different one. */
  readonly onVersion?: (version: string) => void
  /** For the head of a plain answer. Default 30 s. */
  readonly timeoutMs?: number
  /** See `reconnecting`. */
  readonly delaysMs?: readonly number[]
  /** Has somebody listen, where a daemon that was there has stopped. Default: the request fails. */
  readonly revive?: () => Promise<void>
}

/** One wait before each request that is sent again. */
const retriesMs: readonly number[] = [0, 20, 50, 100, 200, 400, 800, 1600]

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { socket, timeoutMs = 30_000, delaysMs, revive } = options
  let seenVersion: string | undefined

  const noteVersion = (version: string | undefined): void => {
    if (version === undefined || version === seenVersion) return
    seenVersion = version
    options.onVersion?.(version)
  }

  /** `again` adds to the body of what is not sent for the first time. */
  async function ask<T>(method: 'GET' | 'POST', path: string, first?: object, again: object = {}): Promise<T> {
    // A daemon that is replaced takes unanswered requests with it. All of them may be sent again: orders carry an id.
    for (let attempt = 0; ; attempt += 1) {
      try {
        const body = attempt === 0 ? first : { ...first, ...again }
        const request = { socket, method, path: `${apiPrefix}${path}`, timeoutMs, body }
        const { status, headers, text } = await sendPlainRequest(request)
        noteVersion(headers['locald-version'])
        if (status >= 400) throw refusal({ status, text, version: seenVersion })
        return JSON.parse(text) as T
      } catch (error) {
        const isGone = error instanceof NobodyListens
        if (!isGone && !(error instanceof ConnectionLost) && !isStopping(error)) throw error
        const delay = retriesMs[attempt]
        if (delay === undefined || (isGone && revive === undefined))
          throw isStopping(error) ? error : unreachable(error)
        // Most of all for a socket whose backlog is full, and a daemon that is about to be replaced.
        await new Promise((resolve) => setTimeout(resolve, delay))
        if (isGone) await revive?.()
      }
    }
  }

  const streams = async (): Promise<ApiStreams> => {
    const { createApiStreams } = await import('./api-streams.ts')
    return createApiStreams({ socket, noteVersion, ...(delaysMs === undefined ? {} : { delaysMs }) })
  }
  async function* logs(query: Query, request: LogsRequest): AsyncGenerator<readonly LogLine[]> {
    yield* (await streams()).logs(query, request)
  }
  async function* attach(query: Query, request: AttachRequest): AsyncGenerator<AttachMessage> {
    yield* (await streams()).attach(query, request)
  }
  async function* events(query: Query, request: EventsRequest): AsyncGenerator<LocaldEvent | EventSnapshot> {
    yield* (await streams()).events(query, request)
  }

  return {
    server: () => ask('GET', '/server'),
    status: (selector, all = false) =>
      ask('GET', `/status${queryText({ ...place(selector), all: all ? 1 : undefined })}`),
    order: (request) => ask('POST', '/orders', request),
    env: (selector, service) => ask('GET', `/env${queryText({ ...place(selector), service })}`),
    ports: (selector) => ask('GET', `/ports${queryText(place(selector))}`),
    url: (selector, service) => ask('GET', `/url${queryText({ ...place(selector), service })}`),
    why: (selector, service) => ask('GET', `/why${queryText({ ...place(selector), service })}`),
    processes: (selector, services) => ask('GET', `/processes${queryText({ ...place(selector), service: services })}`),
    logs: (selector, request) => oneByOne(logs(logsQuery(selector, request), request)),
    logBatches: (selector, request) => logs(logsQuery(selector, request), request),
    attach: (selector, request) => {
      const { service, client } = request
      return attach({ ...place(selector), service, client }, request)
    },
    type: (input) => ask('POST', '/attach/input', input, { again: true }),
    events: (selector, request) => {
      const { after, foreground, follow } = request
      return events({ ...place(selector), after, foreground, follow: follow === false ? 0 : undefined }, request)
    },
    aliases: () => ask('GET', '/aliases'),
    setAlias: (host, port) => ask('POST', '/aliases', { host, port }),
    removeAlias: (host) => ask('POST', '/aliases/remove', { host }),
    registry: () => ask('GET', '/registry'),
    pin: (request) => ask('POST', '/registry/pin', request),
    cleanRegistry: () => ask('POST', '/registry/clean', {}),
    forgetProject: (id) => ask('POST', '/registry/forget', { project: id }),
    stopServer: async (how = {}) => {
      await ask('POST', '/server/stop', how)
    },
    restartServer: async (by) => {
      await ask('POST', '/server/restart', by ?? {})
    },
  }
}

function logsQuery(selector: ProjectSelector, request: LogsRequest): Query {
  const { services = [], tail, since, until, grep, run } = request
  return { ...place(selector), service: services, tail, since, until, grep, run }
}

async function* oneByOne<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const batch of batches) yield* batch
}

function place({ dir, file }: ProjectSelector): Query {
  return { dir, file }
}

function isStopping(error: unknown): boolean {
  return error instanceof LocaldError && error.code === 'daemon_stopping'
}

function unreachable(cause: unknown): LocaldError {
  return new LocaldError('daemon_unreachable', 'The daemon cannot be reached', { cause })
}
