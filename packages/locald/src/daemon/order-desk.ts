// Takes orders: plans what is asked for, refuses what cannot be done before anything is touched, and hands the rest to the supervisor.
import { LocaldError } from '@locald/protocol'
import type { OrderAnswer, OrderRequest } from '@locald/protocol'
import type { EnvLayers } from '../plan/env-layers.ts'
import { environmentFor } from '../plan/environment.ts'
import { instanceKey } from '../plan/instance-key.ts'
import { portBaseOf } from '../plan/plan-for.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { selectInstances } from '../plan/selection.ts'
import { isActive } from '../supervisor/instance.ts'
import type { DaemonParts } from './daemon-parts.ts'
import type { ProjectPorts } from './project-ports.ts'
import { statusOfPlan } from './projects.ts'
import type { Projects } from './projects.ts'
import { shownWarnings } from './shown-diagnostics.ts'

/** Types whose parts are not built yet: refused by name before anything is started. */
const unsupportedTypes: readonly string[] = ['postgres', 'redis']

export class OrderDesk {
  readonly #parts: Pick<DaemonParts, 'supervisor' | 'journal' | 'catalog' | 'shells' | 'names'>
  readonly #projects: Projects
  readonly #ports: ProjectPorts

  constructor(parts: DaemonParts, projects: Projects, ports: ProjectPorts) {
    this.#parts = parts
    this.#projects = projects
    this.#ports = ports
  }

  /** Resolves once it is accepted. Rejects with a LocaldError when it is refused; then nothing was touched. */
  async take(request: OrderRequest): Promise<OrderAnswer> {
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

  async #up(request: OrderRequest, kind: 'up' | 'start'): Promise<OrderAnswer> {
    const { supervisor, shells, catalog } = this.#parts
    const shell = request.shell_env ?? {}
    const flags = request.env ?? {}
    const listening = await this.#ports.listening()
    const { plan, layers, warnings } = await catalog.plan(request, (config, read) => ({
      ...this.#ports.inputsFor(config.id, listening),
      flags,
      ...(kind === 'start' && hasBase(read) ? { portBase: portBaseOf(read, shell) } : {}),
    }))
    const names = new Set(selectInstances(plan, request.services, 'needed').map((i) => i.service))
    refuseUnsupported(plan, names)
    if (kind === 'start') this.#refuseRunning(plan)
    const named = request.services.length === 0 ? new Set<string>() : servicesNamed(plan, request.services)
    await this.#ports.refuseTaken(plan, names, named)
    await shells.keep(plan.id, shell)
    const hidden = plan.services
      .filter((s) => names.has(s.name))
      .flatMap((s) => s.instances.flatMap((i) => environmentFor(plan, i, { layers, shell, flags }).warnings))
    const before = this.#parts.journal.seq
    const arrived = this.#parts.names.expect(plan)
    supervisor.up({
      order: request.order,
      kind,
      plan,
      services: names,
      named,
      flags,
      timeoutMs: request.timeout_ms ?? null,
      restart: request.restart ?? false,
      warnings: shownWarnings([...warnings, ...hidden]),
    })
    arrived()
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  async #restart(request: OrderRequest): Promise<OrderAnswer> {
    const { supervisor, catalog } = this.#parts
    const listening = await this.#ports.listening()
    const { plan, warnings } = await catalog.plan(request, (config) => ({
      ...this.#ports.inputsFor(config.id, listening),
      flags: this.#projects.recordOf(config.id)?.planned.flags ?? {},
    }))
    const record = this.#projects.recordOf(plan.id)
    const isUp = record !== undefined && [...record.instances.values()].some(isActive)
    if (!isUp) return await this.#up(request, 'up')
    const selected = selectInstances(plan, request.services, 'named')
    const names = new Set(selected.map((i) => i.service))
    refuseUnsupported(plan, names)
    const before = this.#parts.journal.seq
    supervisor.restart({
      order: request.order,
      plan,
      keys: selected.map((i) => instanceKey(i.service, i.instance)),
      isNamed: request.services.length > 0,
      timeoutMs: request.timeout_ms ?? null,
      warnings: shownWarnings(warnings),
    })
    return { order: request.order, seq: before, status: supervisor.status(plan.id) }
  }

  async #stop(request: OrderRequest): Promise<OrderAnswer> {
    const { supervisor, journal } = this.#parts
    const id = await this.#projects.find(request)
    const record = id === null ? undefined : this.#projects.recordOf(id)
    if (id === null || record === undefined) {
      const plan = await this.#projects.planOf(request)
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

  #refuseRunning(plan: Plan): void {
    const record = this.#projects.recordOf(plan.id)
    if (record === undefined || ![...record.instances.values()].some(isActive)) return
    throw new LocaldError('project_running', `Cannot start "${plan.name}" in the foreground: it is already up`, {
      hint: 'Follow its output: locald logs -f. Or stop it first: locald stop',
    })
  }
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
