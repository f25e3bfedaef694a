// The ports of projects: which are taken, by whom, and which may be assigned.
import { LocaldError } from '@locald/protocol'
import type { PortRow, ProjectSelector } from '@locald/protocol'
import { listListeners } from '../lib/listening-sockets.ts'
import { describeHolder, holdersOf } from '../lib/port-holder.ts'
import { membersByRun, readProcesses } from '../lib/process-tree.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import { instanceKey } from '../plan/instance-key.ts'
import { fixedPorts, keptPorts } from '../plan/plan-for.ts'
import type { PlanInputs } from '../plan/plan-for.ts'
import type { Plan } from '../plan/plan.ts'
import { runOf } from '../supervisor/instance.ts'
import { servicesLeftIdle } from '../supervisor/plan-change.ts'
import type { ProjectRecord } from '../supervisor/state.ts'
import type { DaemonParts } from './daemon-parts.ts'
import { heldPorts } from './held-ports.ts'
import { portRows } from './port-report.ts'
import type { Projects } from './projects.ts'

export class ProjectPorts {
  readonly #parts: Pick<DaemonParts, 'supervisor' | 'hello'>
  readonly #projects: Projects

  constructor(parts: DaemonParts, projects: Projects) {
    this.#parts = parts
    this.#projects = projects
  }

  /** What `ports` shows: of one project, or of all. */
  async rows(selector: ProjectSelector): Promise<readonly PortRow[]> {
    const { supervisor } = this.#parts
    const id = await this.#projects.find(selector)
    const records = [...supervisor.state.projects].flatMap(([project, record]) =>
      id === null || project === id ? [record] : [],
    )
    if (records.length > 0 || id === null) return await this.rowsOf(records)
    const plan = await this.#projects.planOf(selector)
    return await portRows({ plan, instances: new Map() }, await listListeners(), () => false)
  }

  /** Of projects that are known, whether they run or not. */
  async rowsOf(records: readonly ProjectRecord[]): Promise<readonly PortRow[]> {
    const listeners = await listListeners()
    const rows = records.map((record) =>
      portRows({ plan: record.planned.plan, instances: record.instances }, listeners, this.#ownership(record)),
    )
    return (await Promise.all(rows)).flat()
  }

  /** What a plan of this project needs to know about ports, when these are listened on. */
  inputsFor(
    project: string,
    listening: ReadonlySet<number>,
  ): Pick<PlanInputs, 'keptPorts' | 'reserved' | 'isPortFree'> {
    const record = this.#projects.recordOf(project)
    const kept = record === undefined ? new Map<string, number>() : keptPorts(record.planned.plan)
    const own = new Set(
      [...(record?.instances ?? [])].flatMap(([key, instance]) =>
        runOf(instance) === null ? [] : [...kept].flatMap(([of, port]) => (isPortOf(key, of) ? port : [])),
      ),
    )
    return {
      keptPorts: kept,
      reserved: this.reserved(project),
      isPortFree: (port, instance) =>
        !listening.has(port) ||
        (own.has(port) &&
          [...kept].some(
            ([of, one]) => one === port && isPortOf(instanceKey(instance.service, instance.instance), of),
          )),
    }
  }

  /** Who listens on these ports, besides services that run. */
  async held(ports: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    return await heldPorts(ports, (pid) =>
      [...this.#parts.supervisor.state.projects.values()].some((record) => {
        const owns = this.#ownership(record)
        return [...record.instances.keys()].some((key) => owns(key, pid))
      }),
    )
  }

  /** Ports of every other project, whether it runs or not. */
  reserved(project: string): ReadonlySet<number> {
    const others = [...this.#parts.supervisor.state.projects].filter(([id]) => id !== project)
    return new Set(
      others.flatMap(([, { planned }]) =>
        planned.plan.services.flatMap((s) =>
          s.instances.flatMap((i) => [...(i.port === null ? [] : [i.port]), ...(i.morePorts ?? [])]),
        ),
      ),
    )
  }

  /** On which somebody listens now. */
  async listening(): Promise<ReadonlySet<number>> {
    return new Set((await listListeners()).map((l) => l.port))
  }

  /** Refuses a plan with a fixed port on which somebody else listens, of a service that an `up` of these would spawn. */
  async refuseTaken(plan: Plan, names: ReadonlySet<string>, named: ReadonlySet<string>): Promise<void> {
    const record = this.#projects.recordOf(plan.id)
    const idle = servicesLeftIdle(plan, record?.instances ?? new Map(), { wanted: names, named })
    const wanted = fixedPorts(plan).filter((i) => {
      const instance = record?.instances.get(instanceKey(i.service, i.instance))
      return names.has(i.service) && !idle.has(i.service) && (instance === undefined || runOf(instance) === null)
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
}

/** Whether what is kept by this key is a port of that instance: its first, or a further one of a container. */
function isPortOf(instance: string, key: string): boolean {
  return key === instance || key.startsWith(`${instance}:`)
}
