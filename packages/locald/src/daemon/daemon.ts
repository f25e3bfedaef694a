// What can be asked of the daemon, answered by the parts it is wired from.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { instanceLabel, LocaldError } from '@locald/protocol'
import type {
  AllProjects,
  AttachInput,
  AttachInputAnswer,
  AttachMessage,
  Diagnostic,
  EnvVariable,
  EventSnapshot,
  LocaldEvent,
  OrderAnswer,
  OrderRequest,
  PortRow,
  ProjectSelector,
  ProjectStatus,
  RestartRequest,
  ServerStatus,
  ServiceProcesses,
  ServiceSnapshot,
  WhyAnswer,
} from '@locald/protocol'
import type { AttachRequest, DaemonControl, LogsRequest } from '../api/daemon-control.ts'
import type { Journal } from '../events/journal.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import { notifyAddress } from '../keeper/notify-address.ts'
import type { KeeperHello } from '../keeper/protocol.ts'
import type { Installation } from '../lib/installation.ts'
import { listListeners } from '../lib/listening-sockets.ts'
import type { Logger } from '../lib/logger.ts'
import { describeHolder, holderOf, holdersOf } from '../lib/port-holder.ts'
import { membersByRun, readProcesses } from '../lib/process-tree.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import { isOlderVersion } from '../lib/version-order.ts'
import { version } from '../lib/version.ts'
import { lastLines } from '../logs/last-lines.ts'
import type { LogQuery, LogSource } from '../logs/log-reader.ts'
import { readLogs } from '../logs/read-logs.ts'
import type { EnvLayers } from '../plan/env-layers.ts'
import { environmentFor } from '../plan/environment.ts'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import { fixedPorts, keptPorts, portBaseOf } from '../plan/plan-for.ts'
import type { PlanInputs } from '../plan/plan-for.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import { readEnvLayers } from '../plan/read-plan.ts'
import { selectInstances } from '../plan/selection.ts'
import { isActive, newInstance, runOf } from '../supervisor/instance.ts'
import { snapshotOf } from '../supervisor/snapshot.ts'
import type { Change, ProjectRecord } from '../supervisor/state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { Attachments } from './attachments.ts'
import type { AttachTarget } from './attachments.ts'
import type { Catalog } from './catalog.ts'
import type { LogTroubles } from './log-troubles.ts'
import { heldPorts } from './held-ports.ts'
import { portRows } from './port-report.ts'
import { Registry } from './registry.ts'
import type { Shells } from './shells.ts'
import { takenPort } from './why-cause.ts'
import type { WhyFacts } from './why-cause.ts'
import { chainFrom } from './why-chain.ts'
import { explain, worstOf } from './why.ts'

export interface DaemonParts {
  readonly supervisor: Supervisor
  readonly journal: Journal<LocaldEvent, Change>
  readonly keeper: KeeperLink
  readonly hello: KeeperHello
  readonly catalog: Catalog
  readonly shells: Shells
  readonly installation: Installation
  readonly onGrew: (listener: (stream: string) => void) => () => void
  /** Somebody typed something for what writes to this log stream. */
  readonly onTyped: (stream: string) => void
  readonly logTroubles: LogTroubles
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** What was found wrong with locald's own files; grows. */
  readonly troubles: readonly string[]
  /** Ends this process, once nothing of an answer is left to be sent. */
  readonly exit: () => void
}

/** Types whose parts are not built yet: refused by name before anything is started. */
const unsupportedTypes: readonly string[] = ['postgres', 'redis', 'site']

/** Enough to find the error above a long stack trace. */
const whyLines = 200

export class Daemon implements DaemonControl {
  readonly version = version
  readonly registry: Registry
  readonly #parts: DaemonParts
  readonly #attachments: Attachments
  #isStopping = false

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.registry = new Registry(parts)
    const { keeper, onGrew, onTyped, logger, journal } = parts
    const onEvent = (listener: (event: LocaldEvent) => void): (() => void) => journal.subscribe(null, listener).stop
    this.#attachments = new Attachments({ keeper, onGrew, onEvent, onTyped, logger })
  }

  server(): ServerStatus {
    const { hello, startedAt, troubles } = this.#parts
    return {
      ...(troubles.length === 0 ? {} : { warnings: unique(troubles) }),
      daemon: { pid: process.pid, version, started_at: new Date(startedAt).toISOString() },
      keeper: { pid: hello.pid, version: hello.version, started_at: new Date(hello.startedAt).toISOString() },
      proxy: null,
    }
  }

  async status(selector: ProjectSelector, all: boolean): Promise<ProjectStatus | AllProjects> {
    const { supervisor, catalog } = this.#parts
    if (all || (selector.dir === undefined && selector.file === undefined)) return { projects: supervisor.statuses() }
    const id = await this.#find(selector)
    if (id === null) return { projects: supervisor.statuses() }
    if (supervisor.state.projects.has(id)) return supervisor.status(id)
    const { plan, warnings } = await catalog.plan(selector, () => ({}))
    return statusOfPlan(plan, warnings.map(describeDiagnostic))
  }

  async order(request: OrderRequest): Promise<OrderAnswer> {
    if (this.#isStopping) {
      throw new LocaldError('daemon_stopping', 'Cannot take an order: locald is stopping', {
        hint: 'Try again in a moment',
      })
    }
    const known = this.#knownOrder(request.order)
    if (known !== null) return known
    switch (request.kind) {
      case 'up':
      case 'start':
        return await this.#up(request, request.kind)
      case 'restart':
        return await this.#restart(request)
      case 'stop':
        return await this.#stop(request)
      default:
        throw new LocaldError('request_invalid', `Cannot take an order of kind "${String(request.kind)}"`)
    }
  }

  async logs(request: LogsRequest, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const { onGrew } = this.#parts
    const plan = await this.#planOf(request)
    const sources = selectInstances(plan, request.services, 'named').map((i) =>
      this.#logSource(plan, i.service, i.instance),
    )
    const { tail, since, until, run, cursor } = request
    const query: LogQuery = {
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(run === undefined ? {} : { run }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(request.grep === undefined ? {} : { grep: parsePattern(request.grep) }),
    }
    return readLogs(sources, query, request.follow ? { signal, onGrew } : undefined)
  }

  async processes(selector: ProjectSelector, services: readonly string[]): Promise<readonly ServiceProcesses[]> {
    const { supervisor, keeper } = this.#parts
    const plan = await this.#planOf(selector)
    const record = supervisor.state.projects.get(plan.id)
    if (record === undefined) return []
    const { leaving } = record.planned
    const all = services.length === 0 ? plan : { ...plan, services: [...plan.services, ...leaving] }
    const asked = new Set(selectInstances(all, services, 'named').map((i) => instanceKey(i.service, i.instance)))
    const found = [...record.instances].map(async ([key, instance]) => {
      const run = runOf(instance)
      if (run === null || (services.length > 0 && !asked.has(key))) return []
      const { members } = await keeper.request('members', { run: run.id })
      const { service, instance: number } = splitInstanceKey(key)
      const { state } = instance
      return {
        service: labelIn(all, service, number),
        state: state.id,
        stopping_since: state.id === 'stopping' ? new Date(state.since).toISOString() : null,
        processes: members,
      }
    })
    return (await Promise.all(found)).flat()
  }

  async attach(request: AttachRequest, signal: AbortSignal): Promise<AsyncIterable<AttachMessage>> {
    const target = await this.#attachTarget(request, request.service)
    const instance = target.current()
    if (instance === undefined || !isActive(instance)) {
      const { label } = target.source
      throw new LocaldError(
        'not_running',
        `Cannot attach to "${label}": it is ${instance === undefined ? 'stopped' : instance.state.id}`,
        { hint: `Start it: locald up ${label}. What it wrote: locald logs ${label}` },
      )
    }
    return this.#attachments.attach(target, request, signal)
  }

  async input(input: AttachInput): Promise<AttachInputAnswer> {
    return await this.#attachments.input(await this.#attachTarget(input, input.service), input)
  }

  async env(selector: ProjectSelector, service: string): Promise<readonly EnvVariable[]> {
    const { supervisor, shells } = this.#parts
    const plan = await this.#planOf(selector)
    const [instance] = selectInstances(plan, [service], 'named')
    if (instance === undefined) return []
    const layers = await readEnvLayers(plan.config)
    const record = supervisor.state.projects.get(plan.id)
    const flags = record?.planned.flags ?? {}
    const notify = this.#notifyOf(plan, instance)
    const seen = record === undefined ? plan : supervisor.planSeenBy(plan.id, instance.service)
    return environmentFor(seen, instance, { layers, shell: shells.of(plan.id), flags, ...notify }).variables
  }

  /** Where what runs of an instance can notify now. */
  #notifyOf(plan: Plan, { service, instance }: InstancePlan): { readonly notifySocket?: string } {
    const { supervisor, hello, installation } = this.#parts
    const known = supervisor.state.projects.get(plan.id)?.instances.get(instanceKey(service, instance))
    const run = known === undefined ? null : runOf(known)
    const isContainer = plan.services.find(({ name }) => name === service)?.config.container !== undefined
    const isHeard = run !== null && !isContainer && hello.protocol >= 2
    const address = isHeard ? notifyAddress(run.id, installation.runtime) : null
    return address === null ? {} : { notifySocket: address }
  }

  async ports(selector: ProjectSelector): Promise<readonly PortRow[]> {
    const { supervisor } = this.#parts
    const id = await this.#find(selector)
    const listeners = await listListeners()
    const records = [...supervisor.state.projects].filter(([project]) => id === null || project === id)
    const rows = records.map(([, record]) =>
      portRows({ plan: record.planned.plan, instances: record.instances }, listeners, this.#ownership(record)),
    )
    if (records.length > 0 || id === null) return (await Promise.all(rows)).flat()
    const plan = await this.#planOf(selector)
    return await portRows({ plan, instances: new Map() }, listeners, () => false)
  }

  async why(selector: ProjectSelector, name: string): Promise<WhyAnswer> {
    const { supervisor } = this.#parts
    const plan = await this.#planOf(selector)
    const selected = selectInstances(plan, [name], 'named')
    const service = plan.services.find((s) => s.name === selected[0]?.service)
    if (service === undefined) throw new LocaldError('service_unknown', `There is no service "${name}"`)
    const record = supervisor.state.projects.get(plan.id)
    const status = record === undefined ? statusOfPlan(plan, []) : supervisor.status(plan.id)
    const snapshots = status.services.filter((s) => s.name === service.name)
    const worst = worstOf(snapshots.filter((s) => selected.some((i) => i.instance === s.instance)))
    if (worst === undefined) throw new LocaldError('service_unknown', `There is no instance of "${name}"`)
    const labelled = new Map(status.services.map((s) => [labelIn(plan, s.name, s.instance), s]))
    const chain = chainFrom(labelIn(plan, worst.name, worst.instance), labelled)
    const rows = await this.ports(selector)
    const asked = await this.#factsOf(plan, worst, rows)
    const last = chain.at(-1)?.snapshot ?? worst
    const root = last === worst ? asked : await this.#factsOf(plan, last, rows)
    const taken = takenPort(root.lines)
    const holder = taken === null ? null : await holderOf(taken)
    const rival = taken === null || holder === null ? null : { port: taken, holder: describeHolder(holder) }
    const instances = service.instances.flatMap(
      (i) => record?.instances.get(instanceKey(service.name, i.instance)) ?? [],
    )
    return explain({ asked, root, chain, snapshots, instances, rival })
  }

  async #factsOf(plan: Plan, snapshot: ServiceSnapshot, rows: readonly PortRow[]): Promise<WhyFacts> {
    const { supervisor } = this.#parts
    const { name, instance, run } = snapshot
    const service = plan.services.find((s) => s.name === name)
    if (service === undefined) throw new Error(`The plan has no service "${name}"`)
    const key = instanceKey(name, instance)
    const record = supervisor.state.projects.get(plan.id)
    return {
      label: labelIn(plan, name, instance),
      service,
      snapshot,
      instance: record?.instances.get(key) ?? null,
      ports: rows.filter((row) => row.service === name && row.instance === instance),
      lastCheck: record === undefined ? null : supervisor.lastCheck(plan.id, key),
      lines: run === 0 ? [] : await lastLines(this.#logSource(plan, name, instance), whyLines, { run }),
    }
  }

  async projectId(selector: ProjectSelector): Promise<string | null> {
    return await this.#find(selector)
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

  shutDown(how: 'stop' | 'restart', by?: RestartRequest): void {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#shutDown(how, by).catch((error: unknown) => {
      this.#parts.logger.log('error', 'Cannot shut down', { error })
      this.#isStopping = false
    })
  }

  async #shutDown(how: 'stop' | 'restart', by: RestartRequest | undefined): Promise<void> {
    const { supervisor, journal, keeper, exit } = this.#parts
    if (how === 'stop') {
      for (const [project, record] of supervisor.state.projects) {
        supervisor.stop(project, `shutdown-${journal.seq}`, [...record.instances.keys()], false)
      }
      await this.#untilIdle()
    }
    journal.append((seq, at) => ({ seq, at, type: 'daemon.stopping', pid: process.pid, version }), [])
    const isAsGood = by !== undefined && !isOlderVersion(by.version, version) && existsSync(by.program)
    const program = isAsGood ? { program: by.program } : {}
    await keeper.request('shutdown', how === 'restart' ? { restart: true, ...program } : {})
    exit()
  }

  async #untilIdle(): Promise<void> {
    const { supervisor, journal } = this.#parts
    if (!supervisor.isBusy) return
    await new Promise<void>((resolve) => {
      const { stop } = journal.subscribe(null, () => {
        if (supervisor.isBusy) return
        stop()
        resolve()
      })
    })
  }

  async #up(request: OrderRequest, kind: 'up' | 'start'): Promise<OrderAnswer> {
    const { supervisor, shells, catalog } = this.#parts
    const shell = request.shell_env ?? {}
    const flags = request.env ?? {}
    const listening = await this.#listeningPorts()
    const { plan, layers, warnings } = await catalog.plan(request, (config, read) => ({
      ...this.#portInputs(config.id, listening),
      flags,
      ...(kind === 'start' && hasBase(read) ? { portBase: portBaseOf(read, shell) } : {}),
    }))
    const names = new Set(selectInstances(plan, request.services, 'needed').map((i) => i.service))
    refuseUnsupported(plan, names)
    if (kind === 'start') this.#refuseRunning(plan)
    await this.#refuseTakenPorts(plan, names)
    await shells.keep(plan.id, shell)
    const hidden = plan.services
      .filter((s) => names.has(s.name))
      .flatMap((s) => s.instances.flatMap((i) => environmentFor(plan, i, { layers, shell, flags }).warnings))
    const before = this.#parts.journal.seq
    supervisor.up({
      order: request.order,
      kind,
      plan,
      services: names,
      flags,
      timeoutMs: request.timeout_ms ?? null,
      restart: request.restart ?? false,
      warnings: unique([...warnings, ...hidden].filter((w) => w.severity === 'warning').map(describeDiagnostic)),
    })
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  async #restart(request: OrderRequest): Promise<OrderAnswer> {
    const { supervisor, catalog } = this.#parts
    const listening = await this.#listeningPorts()
    const { plan, warnings } = await catalog.plan(request, (config) => ({
      ...this.#portInputs(config.id, listening),
      flags: supervisor.state.projects.get(config.id)?.planned.flags ?? {},
    }))
    const record = supervisor.state.projects.get(plan.id)
    const isUp = record !== undefined && [...record.instances.values()].some(isActive)
    if (!isUp) return await this.#up(request, 'up')
    const selected = selectInstances(plan, request.services, 'named')
    const names = new Set(selected.map((i) => i.service))
    refuseUnsupported(plan, names)
    const shown = warnings.filter((w) => w.severity === 'warning').map(describeDiagnostic)
    const before = this.#parts.journal.seq
    supervisor.restart({
      order: request.order,
      plan,
      keys: selected.map((i) => instanceKey(i.service, i.instance)),
      isNamed: request.services.length > 0,
      timeoutMs: request.timeout_ms ?? null,
      warnings: unique(shown),
    })
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  async #stop(request: OrderRequest): Promise<OrderAnswer> {
    const { supervisor, journal } = this.#parts
    const id = await this.#find(request)
    const record = id === null ? undefined : supervisor.state.projects.get(id)
    if (id === null || record === undefined) {
      const plan = await this.#planOf(request)
      selectInstances(plan, request.services, 'named')
      const { order, kind } = request
      journal.append(
        (seq, at) => ({ seq, at, type: 'order.ended', project: plan.id, order, kind, outcome: 'done', problems: [] }),
        [],
      )
      return { order, seq: journal.seq - 1, status: statusOfPlan(plan, []) }
    }
    const { plan, leaving } = record.planned
    const keys =
      request.services.length === 0
        ? [...record.instances.keys()]
        : selectInstances({ ...plan, services: [...plan.services, ...leaving] }, request.services, 'named').map((i) =>
            instanceKey(i.service, i.instance),
          )
    const before = journal.seq
    supervisor.stop(id, request.order, keys, request.now ?? false)
    return { order: request.order, seq: before, status: supervisor.status(id) }
  }

  /** Sent again by a client whose daemon was replaced in between. */
  #knownOrder(order: string): OrderAnswer | null {
    const { supervisor, journal } = this.#parts
    const open = supervisor.state.orders.get(order)
    if (open !== undefined) return { order, seq: journal.seq, status: supervisor.status(open.project) }
    const ended = supervisor.state.ended.find((e) => e.id === order)
    if (ended === undefined) return null
    const { project, kind, outcome, problems } = ended
    const seq = journal.seq
    journal.append((n, at) => ({ seq: n, at, type: 'order.ended', project, order, kind, outcome, problems }), [])
    return { order, seq, status: supervisor.status(project) }
  }

  /** Id of the project that is meant; null when there is none. */
  async #find(selector: ProjectSelector): Promise<string | null> {
    if (selector.dir === undefined && selector.file === undefined) return null
    try {
      return (await this.#parts.catalog.find(selector)).id
    } catch (error) {
      if (error instanceof LocaldError && error.code === 'config_not_found' && selector.file === undefined) return null
      throw error
    }
  }

  /** What runs, else what is configured. */
  async #planOf(selector: ProjectSelector): Promise<Plan> {
    const { catalog, supervisor } = this.#parts
    const { id } = await catalog.find(selector)
    const record = supervisor.state.projects.get(id)
    if (record !== undefined) return record.planned.plan
    return (await catalog.plan(selector, () => ({}))).plan
  }

  #portInputs(
    project: string,
    listening: ReadonlySet<number>,
  ): Pick<PlanInputs, 'keptPorts' | 'reserved' | 'isPortFree'> {
    const { supervisor } = this.#parts
    const record = supervisor.state.projects.get(project)
    const kept = record === undefined ? new Map<string, number>() : keptPorts(record.planned.plan)
    const own = new Set(
      [...(record?.instances ?? [])].flatMap(([key, instance]) =>
        runOf(instance) === null ? [] : [...kept].flatMap(([of, port]) => (isPortOf(key, of) ? port : [])),
      ),
    )
    return {
      keptPorts: kept,
      reserved: this.reservedPorts(project),
      isPortFree: (port, instance) =>
        !listening.has(port) ||
        (own.has(port) &&
          [...kept].some(
            ([of, one]) => one === port && isPortOf(instanceKey(instance.service, instance.instance), of),
          )),
    }
  }

  /** Who listens on these ports, besides services that run. */
  async heldPorts(ports: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    return await heldPorts(ports, (pid) =>
      [...this.#parts.supervisor.state.projects.values()].some((record) => {
        const owns = this.#ownership(record)
        return [...record.instances.keys()].some((key) => owns(key, pid))
      }),
    )
  }

  /** Ports of every other project, whether it runs or not. */
  reservedPorts(project: string): ReadonlySet<number> {
    const others = [...this.#parts.supervisor.state.projects].filter(([id]) => id !== project)
    return new Set(
      others.flatMap(([, { planned }]) =>
        planned.plan.services.flatMap((s) =>
          s.instances.flatMap((i) => [...(i.port === null ? [] : [i.port]), ...(i.morePorts ?? [])]),
        ),
      ),
    )
  }

  async #listeningPorts(): Promise<ReadonlySet<number>> {
    return new Set((await listListeners()).map((l) => l.port))
  }

  #refuseRunning(plan: Plan): void {
    const record = this.#parts.supervisor.state.projects.get(plan.id)
    if (record === undefined || ![...record.instances.values()].some(isActive)) return
    throw new LocaldError('project_running', `Cannot start "${plan.name}" in the foreground: it is already up`, {
      hint: 'Follow its output: locald logs -f. Or stop it first: locald stop',
    })
  }

  /** A fixed port on which somebody else listens, of a service that would be spawned now. */
  async #refuseTakenPorts(plan: Plan, names: ReadonlySet<string>): Promise<void> {
    const record = this.#parts.supervisor.state.projects.get(plan.id)
    const wanted = fixedPorts(plan).filter((i) => {
      const instance = record?.instances.get(instanceKey(i.service, i.instance))
      return names.has(i.service) && (instance === undefined || runOf(instance) === null)
    })
    if (wanted.length === 0) return
    const listeners = await listListeners()
    const isOurs = record === undefined ? () => false : this.#ownership(record)
    const taken = wanted.flatMap((i) =>
      listeners
        .filter((l) => l.port === i.port)
        .slice(0, 1)
        .map((listener) => ({ ...i, listener })),
    )
    const holders = await holdersOf(taken.map(({ listener }) => listener))
    const isOwn = (pid: number): boolean => [...(record?.instances.keys() ?? [])].some((key) => isOurs(key, pid))
    const problems = taken.flatMap(({ service, port, listener }) => {
      const holder = holders.get(listener.inode)
      if (holder === undefined || (holder.pid !== null && isOwn(holder.pid))) return []
      return [`port ${port} of "${service}" is held by ${describeHolder(holder)}`]
    })
    if (problems.length === 0) return
    throw new LocaldError('port_taken', `Cannot start "${plan.name}": ${problems.join('; ')}`, {
      hint: 'End that process, or choose another port. Without "port" locald assigns a free one',
    })
  }

  /** Whether a process belongs to an instance, judged by one look at the processes. */
  #ownership(record: ProjectRecord): (key: string, pid: number) => boolean {
    const identities = new Map<string, RunIdentity>()
    for (const [key, instance] of record.instances) {
      const identity = runOf(instance)?.identity
      if (identity !== null && identity !== undefined) identities.set(key, identity)
    }
    const members = membersByRun(identities.values(), readProcesses(), { under: this.#parts.hello.pid })
    return (key, pid) => {
      const marker = identities.get(key)?.marker
      return marker !== undefined && (members.get(marker)?.some((entry) => entry.pid === pid) ?? false)
    }
  }

  /** Rejects with `usage` when the name is that of several instances. */
  async #attachTarget(selector: ProjectSelector, name: string): Promise<AttachTarget> {
    const plan = await this.#planOf(selector)
    const [only, ...others] = selectInstances(plan, [name], 'named')
    if (only === undefined || others.length > 0) {
      const labels = [only, ...others].flatMap((i) => (i === undefined ? [] : [labelIn(plan, i.service, i.instance)]))
      throw new LocaldError('usage', `Cannot attach to "${name}": it is ${labels.length} processes`, {
        hint: `Name one of them: ${labels.join(', ')}`,
      })
    }
    const { service, instance } = only
    const { supervisor } = this.#parts
    return {
      project: plan.id,
      service,
      instance,
      tty: plan.services.find((s) => s.name === service)?.config.tty ?? true,
      source: this.#logSource(plan, service, instance),
      current: () => supervisor.state.projects.get(plan.id)?.instances.get(instanceKey(service, instance)),
    }
  }

  #logSource(plan: Plan, service: string, instance: number): LogSource {
    const stream = `${plan.id}/${instanceKey(service, instance)}`
    const directory = join(this.#parts.installation.logs, stream)
    const unwritten = this.#parts.logTroubles.unwrittenOf(stream)
    return { label: labelIn(plan, service, instance), stream, directory, unwritten }
  }
}

/** Whether what is kept by this key is a port of that instance: its first, or a further one of a container. */
function isPortOf(instance: string, key: string): boolean {
  return key === instance || key.startsWith(`${instance}:`)
}

function statusOfPlan(plan: Plan, warnings: readonly string[]): ProjectStatus {
  const services = plan.config.services.flatMap(({ name }) => plan.services.filter((s) => s.name === name))
  return {
    id: plan.id,
    project: plan.name,
    root: plan.root,
    file: plan.file,
    services: services.flatMap((s) => s.instances.map((i) => snapshotOf(s, i, newInstance))),
    warnings,
  }
}

function labelIn(plan: Plan, name: string, instance: number): string {
  const service = plan.services.find((s) => s.name === name)
  return instanceLabel(name, instance, service?.config.replicas ?? 1)
}

function refuseUnsupported(plan: Plan, names: ReadonlySet<string>): void {
  const refused = plan.services.filter(
    (s: ServicePlan) => names.has(s.name) && unsupportedTypes.includes(s.config.type),
  )
  if (refused.length === 0) return
  const list = refused.map((s) => `"${s.name}" (${s.config.type})`).join(', ')
  throw new LocaldError(
    'type_unsupported',
    `Cannot start ${list}: this version of locald does not run services of that type`,
    {
      hint: 'Nothing was started. Name the services to start, or run this one by a command',
    },
  )
}

/** `PORT` in the shared env files: where foreman begins to count. */
function hasBase({ dotenv }: EnvLayers): boolean {
  return dotenv.some(({ entries }) => entries.some(({ name }) => name === 'PORT'))
}

function parsePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch (cause) {
    throw new LocaldError('usage', `Cannot use "${pattern}" as a pattern: it is not a regular expression`, { cause })
  }
}

function describeDiagnostic({ file, line, message, hint }: Diagnostic): string {
  return `${file}:${line}: ${message}${hint === undefined ? '' : ` (${hint})`}`
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
