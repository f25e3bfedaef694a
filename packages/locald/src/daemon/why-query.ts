// Answers `why`: gathers what is known about a service and about what it waits for.
import { LocaldError } from '@locald/protocol'
import type { PortRow, ProjectSelector, ServiceSnapshot, WhyAnswer } from '@locald/protocol'
import { describeHolder, holderOf } from '../lib/port-holder.ts'
import { lastLines } from '../logs/last-lines.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { Plan } from '../plan/plan.ts'
import { selectInstances } from '../plan/selection.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { ProjectPorts } from './project-ports.ts'
import { labelIn } from './projects.ts'
import type { Projects } from './projects.ts'
import { takenPort } from './why-cause.ts'
import type { WhyFacts } from './why-cause.ts'
import { chainFrom } from './why-chain.ts'
import { explain, worstOf } from './why.ts'
import type { WhySubject } from './why.ts'

/** Enough to find the error above a long stack trace. */
const whyLines = 200

export interface WhyParts {
  readonly projects: Projects
  readonly ports: ProjectPorts
  readonly supervisor: Supervisor
}

/** `name`: of a service, or the label of one instance. */
export async function queryWhy(parts: WhyParts, selector: ProjectSelector, name: string): Promise<WhyAnswer> {
  const plan = await parts.projects.planOf(selector)
  return explain(await gatherFacts(parts, plan, name, await parts.ports.rows(selector)))
}

/** What is known about a service and about what it waits for. `rows`: the ports of its project. */
export async function gatherFacts(
  parts: WhyParts,
  plan: Plan,
  name: string,
  rows: readonly PortRow[],
): Promise<WhySubject> {
  const { projects } = parts
  const selected = selectInstances(plan, [name], 'named')
  const service = plan.services.find((s) => s.name === selected[0]?.service)
  if (service === undefined) throw new LocaldError('service_unknown', `There is no service "${name}"`)
  const record = projects.recordOf(plan.id)
  const status = projects.statusOf(plan)
  const snapshots = status.services.filter((s) => s.name === service.name)
  const worst = worstOf(snapshots.filter((s) => selected.some((i) => i.instance === s.instance)))
  if (worst === undefined) throw new LocaldError('service_unknown', `There is no instance of "${name}"`)
  const labelled = new Map(status.services.map((s) => [labelIn(plan, s.name, s.instance), s]))
  const chain = chainFrom(labelIn(plan, worst.name, worst.instance), labelled)
  const asked = await factsOf(parts, plan, worst, rows)
  const last = chain.at(-1)?.snapshot ?? worst
  const root = last === worst ? asked : await factsOf(parts, plan, last, rows)
  const taken = takenPort(root.lines)
  const holder = taken === null ? null : await holderOf(taken)
  const rival = taken === null || holder === null ? null : { port: taken, holder: describeHolder(holder) }
  const instances = service.instances.flatMap((i) => record?.instances.get(instanceKey(service.name, i.instance)) ?? [])
  return { asked, root, chain, snapshots, instances, rival }
}

async function factsOf(
  { projects, supervisor }: WhyParts,
  plan: Plan,
  snapshot: ServiceSnapshot,
  rows: readonly PortRow[],
): Promise<WhyFacts> {
  const { name, instance, run } = snapshot
  const service = plan.services.find((s) => s.name === name)
  if (service === undefined) throw new Error(`The plan has no service "${name}"`)
  const key = instanceKey(name, instance)
  const record = projects.recordOf(plan.id)
  return {
    label: labelIn(plan, name, instance),
    service,
    snapshot,
    instance: record?.instances.get(key) ?? null,
    ports: rows.filter((row) => row.service === name && row.instance === instance),
    lastCheck: record === undefined ? null : supervisor.lastCheck(plan.id, key),
    lines: run === 0 ? [] : await lastLines(projects.logSource(plan, { service: name, instance }), whyLines, { run }),
  }
}
