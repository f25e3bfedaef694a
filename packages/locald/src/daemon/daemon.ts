// What can be asked of the daemon, answered by the parts it is wired from.
import { setImmediate } from 'node:timers/promises'
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
  UrlAnswer,
  WhyAnswer,
} from '@locald/protocol'
import type { AliasControl } from '../api/alias-routes.ts'
import type { AttachRequest, DaemonControl, LogsRequest } from '../api/daemon-control.ts'
import { version } from '../lib/version.ts'
import type { ServiceDescription } from '../proxy/pages/service-description.ts'
import { Attachments } from './attachments.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { describeService } from './describe-service.ts'
import { queryEnv } from './env-query.ts'
import { findAttachTarget, refuseUnattachable } from './find-attach-target.ts'
import { queryLogs } from './log-query.ts'
import { OrderDesk } from './order-desk.ts'
import { queryProcesses } from './process-query.ts'
import { ProjectPorts } from './project-ports.ts'
import { Projects, statusOfPlan } from './projects.ts'
import { Registry } from './registry.ts'
import { describeDiagnostic } from './shown-diagnostics.ts'
import { ShutDown } from './shut-down.ts'
import { queryUrl } from './url-query.ts'
import { queryWhy } from './why-query.ts'

export class Daemon implements DaemonControl {
  readonly version = version
  readonly registry: Registry
  readonly #parts: DaemonParts
  readonly #projects: Projects
  readonly #ports: ProjectPorts
  readonly #orders: OrderDesk
  readonly #attachments: Attachments
  readonly #shutDown: ShutDown

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.registry = new Registry(parts)
    this.#projects = new Projects(parts)
    this.#ports = new ProjectPorts(parts, this.#projects)
    this.#orders = new OrderDesk(parts, this.#projects, this.#ports)
    this.#shutDown = new ShutDown(parts)
    const { keeper, terminals, onGrew, onTyped, logger, journal } = parts
    const onEvent = (listener: (event: LocaldEvent) => void): (() => void) => journal.subscribe(null, listener).stop
    this.#attachments = new Attachments({ keeper, terminals, onGrew, onEvent, onTyped, logger })
  }

  server(): ServerStatus {
    const { hello, startedAt, troubles, dns, ports } = this.#parts
    const warnings = [...new Set(troubles), ...(dns.trouble === null ? [] : [dns.trouble])]
    return {
      ...(warnings.length === 0 ? {} : { warnings }),
      daemon: { pid: process.pid, version, started_at: new Date(startedAt).toISOString() },
      keeper: { pid: hello.pid, version: hello.version, started_at: new Date(hello.startedAt).toISOString() },
      proxy: ports,
    }
  }

  async status(selector: ProjectSelector, all: boolean): Promise<ProjectStatus | AllProjects> {
    const { supervisor, catalog } = this.#parts
    await this.#lookAgain()
    if (all || (selector.dir === undefined && selector.file === undefined)) return { projects: supervisor.statuses() }
    const id = await this.#projects.find(selector)
    if (id === null) return { projects: supervisor.statuses() }
    if (supervisor.state.projects.has(id)) return supervisor.status(id)
    const { plan, warnings } = await catalog.plan(selector, () => ({}))
    return statusOfPlan(plan, warnings.map(describeDiagnostic))
  }

  async order(request: OrderRequest): Promise<OrderAnswer> {
    this.#shutDown.refuse(request)
    return await this.#orders.take(request)
  }

  async logs(request: LogsRequest, signal: AbortSignal): Promise<AsyncIterable<string>> {
    return await queryLogs(this.#projects, this.#parts.onGrew, request, signal)
  }

  async processes(selector: ProjectSelector, services: readonly string[]): Promise<readonly ServiceProcesses[]> {
    return await queryProcesses(this.#projects, this.#parts, selector, services)
  }

  async attach(request: AttachRequest, signal: AbortSignal): Promise<AsyncIterable<AttachMessage>> {
    const target = await findAttachTarget(this.#projects, request, request.service)
    refuseUnattachable(target)
    return this.#attachments.attach(target, request, signal)
  }

  async input(input: AttachInput): Promise<AttachInputAnswer> {
    return await this.#attachments.input(await findAttachTarget(this.#projects, input, input.service), input)
  }

  async env(selector: ProjectSelector, service: string): Promise<EnvAnswer> {
    return await queryEnv(this.#projects, this.#parts, selector, service)
  }

  async ports(selector: ProjectSelector): Promise<readonly PortRow[]> {
    return await this.#ports.rows(selector)
  }

  /** For the proxy's pages; null when there is no such service (any more). */
  async describeService(project: string, service: string): Promise<ServiceDescription | null> {
    const parts = { projects: this.#projects, ports: this.#ports, supervisor: this.#parts.supervisor }
    return await describeService(parts, project, service)
  }

  async why(selector: ProjectSelector, service: string): Promise<WhyAnswer> {
    const { supervisor } = this.#parts
    return await queryWhy({ projects: this.#projects, ports: this.#ports, supervisor }, selector, service)
  }

  async url(selector: ProjectSelector, service: string | undefined): Promise<UrlAnswer> {
    await this.#lookAgain()
    return await queryUrl(this.#projects, this.#parts, selector, service)
  }

  async names(): Promise<readonly NameEntry[]> {
    await this.#lookAgain()
    return this.#parts.names.list()
  }

  readonly aliases: AliasControl = {
    list: async () => {
      await this.#lookAgain()
      return this.#parts.names.listAliases()
    },
    set: async (host, port) => {
      const { aliases, names, lookups } = this.#parts
      await aliases.set(host, port)
      await lookups.look([host.toLowerCase()], { now: true })
      const entry = names.listAliases().find((each) => each.host === host.toLowerCase())
      if (entry === undefined) throw new Error(`The alias ${host} vanished while it was made`)
      return entry
    },
    remove: async (host) => await this.#parts.aliases.remove(host),
  }

  async trustChanged(): Promise<void> {
    const { dns, names, lookups, trust } = this.#parts
    await dns.look()
    await Promise.all([trust.look(names.hosts, { now: true }), lookups.look(names.hosts, { now: true })])
  }

  /** Before addresses are shown: a name may have come to lead here since, or do so no more, of which nobody was told. */
  async #lookAgain(): Promise<void> {
    const { names, lookups } = this.#parts
    // What has changed is in the snapshots of services once `followNames` had its turn.
    if (await lookups.refresh(names.hosts)) await setImmediate()
  }

  async projectId(selector: ProjectSelector): Promise<string | null> {
    return await this.#projects.find(selector)
  }

  subscribe(after: number | null, listener: (event: LocaldEvent) => void): ReturnType<DaemonControl['subscribe']> {
    return this.#parts.journal.subscribe(after, listener)
  }

  snapshot(): EventSnapshot {
    const { journal, supervisor } = this.#parts
    return { type: 'snapshot', seq: journal.seq, projects: supervisor.statuses() }
  }

  holdForeground(order: string): () => void {
    const { supervisor } = this.#parts
    const held = [...supervisor.state.projects].find(([, record]) => record.foreground?.order === order)
    if (held === undefined) return () => undefined
    const [project] = held
    supervisor.foregroundClient(project, order, 1)
    return () => supervisor.foregroundClient(project, order, -1)
  }

  stop(now: boolean): void {
    this.#shutDown.stop(now)
    this.#orders.stopAll()
  }

  restart(by?: RestartRequest): void {
    this.#shutDown.restart(by)
  }

  /** Nothing and nobody needs it: it ends, with its keeper. */
  stopUnused(): void {
    if (!this.#shutDown.isUnderWay) this.stop(false)
  }

  /** Who listens on these ports, besides services that run. */
  async heldPorts(ports: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    return await this.#ports.held(ports)
  }

  /** Ports of every other project, whether it runs or not. */
  reservedPorts(project: string): ReadonlySet<number> {
    return this.#ports.reserved(project)
  }
}
