// What the proxy's pages show of a service: what `why` knows of it, with more of its output.
import type { ServiceDescription } from '../proxy/pages/service-description.ts'
import type { Instance } from '../supervisor/instance.ts'
import type { WhyFacts } from './why-cause.ts'
import { gatherFacts } from './why-query.ts'
import type { WhyParts } from './why-query.ts'
import { explain } from './why.ts'
import type { WhySubject } from './why.ts'

const linesShown = 40

/** Null when the project or the service is not known (any more). */
export async function describeService(
  parts: WhyParts,
  project: string,
  service: string,
): Promise<ServiceDescription | null> {
  const record = parts.projects.recordOf(project)
  const { plan } = record?.planned ?? {}
  if (record === undefined || plan === undefined || !plan.services.some(({ name }) => name === service)) return null
  return descriptionOf(await gatherFacts(parts, plan, service, await parts.ports.rowsOf([record])), plan.name)
}

/** Pure. */
export function descriptionOf(subject: WhySubject, project: string): ServiceDescription {
  const { asked, root } = subject
  const { snapshot } = asked
  const { summary, chain, evidence, advice } = explain(subject)
  return {
    service: asked.label,
    project,
    state: snapshot.state,
    health: snapshot.health.status,
    since: sinceOf(asked.instance),
    summary,
    chain: chain.map((link, index) => ({
      service: link.service,
      state: subject.chain[index]?.snapshot.state ?? snapshot.state,
      reason: link.reason,
    })),
    exit: snapshot.exit,
    evidence: evidence?.text ?? null,
    linesOf: root.label,
    lines: root.lines.slice(-linesShown).map(({ at, text }) => ({ at, text })),
    port: asked.service.instances.find(({ instance }) => instance === snapshot.instance)?.port ?? null,
    foundPorts: portElsewhere(asked),
    steps: advice.map(stepOf),
  }
}

/** A command of locald's own, or one that ends the sentence behind a colon. */
function stepOf(advice: string): ServiceDescription['steps'][number] {
  const [, text, command] = /^([^:]+): ((?:locald|npm|bundle) .*?)(?: \(in .*\))?$/u.exec(advice) ?? []
  if (text === undefined || command === undefined) return { text: advice, command: null }
  const [, place] = / (\(in .*\))$/u.exec(advice) ?? []
  return { text: place === undefined ? text : `${text} ${place}`, command }
}

function sinceOf(instance: Instance | null): string | null {
  if (instance === null) return null
  const { state, memory } = instance
  const at = 'since' in state ? state.since : memory.startedAt
  return at === null ? null : new Date(at).toISOString()
}

/** Where it listens while it is not reached where it was meant to. */
function portElsewhere({ snapshot, lastCheck }: WhyFacts): readonly number[] {
  if (snapshot.state !== 'starting') return []
  const message = lastCheck?.message ?? snapshot.health.message ?? ''
  const found = /^Listens on port (\d+), not on/u.exec(message)?.[1]
  return found === undefined ? [] : [Number(found)]
}
