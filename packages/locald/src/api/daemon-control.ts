// What the API needs of the daemon. The daemon implements it; nothing here knows how.
import type {
  AllProjects,
  AttachInput,
  AttachInputAnswer,
  AttachMessage,
  EnvAnswer,
  EventSnapshot,
  LocaldEvent,
  NameEntry,
  OrderAnswer,
  OrderRequest,
  PortRow,
  ProjectSelector,
  ProjectStatus,
  RestartRequest,
  ServerStatus,
  ServiceProcesses,
  TerminalSize,
  UrlAnswer,
  WhyAnswer,
} from '@locald/protocol'

import type { AliasControl } from './alias-routes.ts'
import type { RegistryControl } from './registry-routes.ts'

export interface LogsRequest extends ProjectSelector {
  /** Labels or names; empty: all. */
  readonly services: readonly string[]
  readonly tail?: number
  /** Milliseconds since the epoch. */
  readonly since?: number
  readonly until?: number
  readonly grep?: string
  readonly run?: number
  readonly cursor?: string
  readonly follow: boolean
}

export interface AttachRequest extends ProjectSelector {
  /** Label or name of one instance. */
  readonly service: string
  readonly client: string
  readonly size: TerminalSize | null
  /** When this client typed last, milliseconds since the epoch; 0: never. */
  readonly typedAt: number
  readonly cursor?: string
}

/** Each method may reject with a `LocaldError`, which becomes the answer. */
export interface DaemonControl {
  readonly version: string
  readonly registry: RegistryControl
  readonly aliases: AliasControl
  server(): ServerStatus
  status(selector: ProjectSelector, all: boolean): Promise<ProjectStatus | AllProjects>
  order(request: OrderRequest): Promise<OrderAnswer>
  /** Each a `LogLine` as JSON with its line feed, many at a time. */
  logs(request: LogsRequest, signal: AbortSignal): Promise<AsyncIterable<string>>
  /** Of these services (labels or names), or of all when none is named; of every project when the selector names none. */
  processes(selector: ProjectSelector, services: readonly string[]): Promise<readonly ServiceProcesses[]>
  attach(request: AttachRequest, signal: AbortSignal): Promise<AsyncIterable<AttachMessage>>
  input(input: AttachInput): Promise<AttachInputAnswer>
  env(selector: ProjectSelector, service: string): Promise<EnvAnswer>
  ports(selector: ProjectSelector): Promise<readonly PortRow[]>
  why(selector: ProjectSelector, service: string): Promise<WhyAnswer>
  /** Of the service that has the project's own name when none is named. */
  url(selector: ProjectSelector, service: string | undefined): Promise<UrlAnswer>
  /** Every host name in use. */
  names(): Promise<readonly NameEntry[]>
  /** Other certificate authorities are trusted, other names known to this machine, or asked of our DNS server: addresses change accordingly. */
  trustChanged(): Promise<void>
  /** Id of a project for filtering events; null: of all projects. */
  projectId(selector: ProjectSelector): Promise<string | null>
  /** Every event from now on, and those after `after`: null when they are not all there any more. */
  subscribe(
    after: number | null,
    listener: (event: LocaldEvent) => void,
  ): { readonly missed: readonly LocaldEvent[] | null; readonly stop: () => void }
  snapshot(): EventSnapshot
  /** A client holds this foreground order open, until the returned function is called. */
  holdForeground(order: string): () => void
  /** Begins to stop all services and then the daemon; returns at once. `now`: with SIGKILL, also when it has begun already. */
  stop(now: boolean): void
  /** Begins to replace the daemon; returns at once. */
  restart(by?: RestartRequest): void
}
