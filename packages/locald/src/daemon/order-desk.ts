// Takes orders: plans what is asked for, refuses what cannot be done before anything is touched, and hands the rest to the supervisor.
import { LocaldError } from '@locald/protocol'
import type { OrderAnswer, OrderRequest } from '@locald/protocol'
import type { EnvLayers } from '../plan/env-layers.ts'
import { environmentWarnings } from '../plan/environment.ts'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import { portBaseOf } from '../plan/plan-for.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { selectInstances } from '../plan/selection.ts'
import { isActive } from '../supervisor/instance.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { LaterStops } from './later-stops.ts'
import type { Arrival } from './later-stops.ts'
import type { ProjectPorts } from './project-ports.ts'
import { statusOfPlan } from './projects.ts'
import type { Projects } from './projects.ts'
import type { Variables } from './shells.ts'
import { shownWarnings } from './shown-diagnostics.ts'

/** Types whose parts are not built yet: refused by name before anything is started. */
const unsupportedTypes: readonly string[] = ['postgres', 'redis']

export class OrderDesk {
  readonly #parts: Pick<DaemonParts, 'supervisor' | 'journal' | 'catalog' | 'shells' | 'names'>
  readonly #projects: Projects
  readonly #ports: ProjectPorts
  readonly #stops = new LaterStops()

  constructor(parts: DaemonParts, projects: Projects, ports: ProjectPorts) {
    this.#parts = parts
    this.#projects = projects
    this.#ports = ports
  }

  /** Resolves once it is accepted. Rejects with a LocaldError when it is refused; then nothing was touched. */
  async take(request: OrderRequest): Promise<OrderAnswer> {
    const known = this.#knownOrder(request.order)
    if (known !== null) return known
    using arrival = this.#stops.arrive()
    switch (request.kind) {
      case 'up':
      case 'start':
        return await this.#up(request, request.kind, arrival)
      case 'restart':
        return await this.#restart(request, arrival)
      case 'stop':
        return await this.#stop(request, arrival)
      default:
        throw new LocaldError('request_invalid', `Cannot take an order of kind "${String(request.kind)}"`)
    }
  }

  /** Everything is being stopped: what is still being planned will not be started. */
  stopAll(): void {
    this.#stops.stopAll()
  }

  async #up(request: OrderRequest, kind: 'up' | 'start', arrival: Arrival): Promise<OrderAnswer> {
    const { supervisor, shells, catalog } = this.#parts
    const id = await this.#projects.find(request)
    const shell = request.shell_env ?? (id === null ? {} : await shells.of(id))
    const flags = request.env ?? this.#flagsToKeep(request, id)
    const listening = await this.#ports.listening()
    const { plan, layers, warnings } = await catalog.plan(request, (config, read) => ({
      ...this.#ports.inputsFor(config.id, listening),
      flags,
      ...(kind === 'start' && hasBase(read) ? { portBase: portBaseOf(read, shell) } : {}),
    }))
    const selected = selectInstances(plan, request.services, 'needed')
    const names = new Set(selected.map((i) => i.service))
    refuseUnsupported(plan, names)
    if (kind === 'start') this.#refuseRunning(plan)
    const named = request.services.length === 0 ? new Set<string>() : servicesNamed(plan, request.services)
    await this.#ports.refuseTaken(plan, names, named)
    await shells.keep(plan.id, shell)
    const hidden = environmentWarnings(plan, names, { layers, shell, flags })
    if (arrival.isStoppedSince(plan.id, names)) return this.#superseded(request, plan)
    const before = this.#parts.journal.seq
    const arrived = this.#parts.names.expect(plan)
    supervisor.up({
      order: request.order,
      kind,
      plan,
      keys: selected.map((i) => instanceKey(i.service, i.instance)),
      named,
      flags,
      timeoutMs: request.timeout_ms ?? null,
      restart: request.restart ?? false,
      warnings: shownWarnings([...warnings, ...hidden]),
    })
    arrived()
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  /** A `restart` of what is down takes the variables of the last `up`, which an `up` gives anew. */
  #flagsToKeep({ kind }: OrderRequest, id: string | null): Variables {
    return kind === 'restart' && id !== null ? (this.#projects.recordOf(id)?.planned.flags ?? {}) : {}
  }

  /** A later stop came in while it was being planned: nothing of it is started. */
  #superseded({ order, kind }: OrderRequest, plan: Plan): OrderAnswer {
    const { journal } = this.#parts
    const seq = journal.seq
    const problems = ['superseded by a later stop']
    journal.append(
      (n, at) => ({ seq: n, at, type: 'order.ended', project: plan.id, order, kind, outcome: 'superseded', problems }),
      [],
    )
    return { order, seq, status: this.#projects.statusOf(plan) }
  }

  async #restart(request: OrderRequest, arrival: Arrival): Promise<OrderAnswer> {
    const { supervisor, shells, catalog } = this.#parts
    const listening = await this.#ports.listening()
    const flagsOf = (project: string): Variables => this.#projects.recordOf(project)?.planned.flags ?? {}
    const { plan, layers, warnings } = await catalog.plan(request, (config) => ({
      ...this.#ports.inputsFor(config.id, listening),
      flags: flagsOf(config.id),
    }))
    const record = this.#projects.recordOf(plan.id)
    const isUp = record !== undefined && [...record.instances.values()].some(isActive)
    if (!isUp) return await this.#up(request, 'up', arrival)
    const selected = selectInstances(plan, request.services, 'named')
    const names = new Set(selected.map((i) => i.service))
    refuseUnsupported(plan, names)
    const present = new Set([...record.instances.keys()].map((key) => splitInstanceKey(key).service))
    const environment = { layers, shell: await shells.of(plan.id), flags: flagsOf(plan.id) }
    const hidden = environmentWarnings(plan, present, environment)
    if (arrival.isStoppedSince(plan.id, names)) return this.#superseded(request, plan)
    const before = this.#parts.journal.seq
    supervisor.restart({
      order: request.order,
      plan,
      keys: selected.map((i) => instanceKey(i.service, i.instance)),
      isNamed: request.services.length > 0,
      timeoutMs: request.timeout_ms ?? null,
      warnings: shownWarnings([...warnings, ...hidden]),
    })
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  async #stop(request: OrderRequest, arrival: Arrival): Promise<OrderAnswer> {
    const { supervisor, journal } = this.#parts
    const id = await this.#projects.find(request)
    const record = id === null ? undefined : this.#projects.recordOf(id)
    if (id === null || record === undefined) return await this.#stopUnknown(request, id, arrival)
    const { plan, leaving } = record.planned
    const selected = selectInstances({ ...plan, services: [...plan.services, ...leaving] }, request.services, 'named')
    const keys =
      request.services.length === 0
        ? [...record.instances.keys()]
        : selected.map((i) => instanceKey(i.service, i.instance))
    arrival.stop(id, stoppedNames(request, selected))
    const before = journal.seq
    supervisor.stop(id, request.order, keys, request.now ?? false)
    return { order: request.order, seq: before, status: supervisor.status(id) }
  }

  /** Nothing of it ever was up, but perhaps is about to be. */
  async #stopUnknown(request: OrderRequest, id: string | null, arrival: Arrival): Promise<OrderAnswer> {
    // Before it is planned, which may take as long as the planning of what it is to stop.
    if (id !== null && request.services.length === 0) arrival.stop(id, null)
    const plan = await this.#projects.planOf(request)
    if (this.#projects.recordOf(plan.id) !== undefined) return await this.#stop(request, arrival)
    arrival.stop(plan.id, stoppedNames(request, selectInstances(plan, request.services, 'named')))
    const { order, kind } = request
    const { journal } = this.#parts
    journal.append(
      (seq, at) => ({ seq, at, type: 'order.ended', project: plan.id, order, kind, outcome: 'done', problems: [] }),
      [],
    )
    return { order, seq: journal.seq - 1, status: statusOfPlan(plan, []) }
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

  #refuseRunning(plan: Plan): void {
    const record = this.#projects.recordOf(plan.id)
    if (record === undefined || ![...record.instances.values()].some(isActive)) return
    throw new LocaldError('project_running', `Cannot start "${plan.name}" in the foreground: it is already up`, {
      hint: 'Follow its output: locald logs -f. Or stop it first: locald stop',
    })
  }
}

/** Null: everything. */
function stoppedNames(
  { services }: OrderRequest,
  selected: readonly { readonly service: string }[],
): ReadonlySet<string> | null {
  return services.length === 0 ? null : new Set(selected.map(({ service }) => service))
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

function servicesNamed(plan: Plan, names: readonly string[]): ReadonlySet<string> {
  return new Set(selectInstances(plan, names, 'named').map(({ service }) => service))
}
