// The names under which services are reached: who has which, which of them work now, and what has to be said about it.
import type { AliasEntry, NameEntry } from '@locald/protocol'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { isRecord, readStateFile } from '../lib/state-file.ts'
import type { OnDamaged } from '../lib/state-file.ts'
import type { Logger } from '../lib/logger.ts'
import type { Plan } from '../plan/plan.ts'
import { isActive } from '../supervisor/instance.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import { contestedHolders, heldByOthers, settleHolders } from './host-holders.ts'
import type { HostClaimant, HostHolders } from './host-holders.ts'
import type { NameLookups } from './name-lookups.ts'
import { publicUrlOf, urlOfHost } from './public-url.ts'
import type { ProxyPorts, PublicWorld } from './public-url.ts'

export interface PublicNamesOptions {
  readonly state: Pick<SupervisorState, 'projects'>
  /** Null: there is no proxy. */
  readonly ports: ProxyPorts | null
  /** Remembers who has names that several projects want. */
  readonly file: string
  readonly onDamaged: OnDamaged
  readonly lookups: NameLookups
  /** Whether https works for that name. */
  readonly isTrusted: (host: string) => boolean
  readonly logger: Logger
  /** Ports by the names of what locald does not run. */
  readonly aliases: () => ReadonlyMap<string, number>
}

export class PublicNames {
  readonly #options: PublicNamesOptions
  /** A plan that is about to be brought up, and counts as up already. */
  readonly #coming = new Map<string, Plan>()
  readonly #told = new Map<string, string>()
  #holders: HostHolders
  #claims: readonly Claim[] = []
  #claimants: readonly HostClaimant[] = []
  #stored: string

  constructor(options: PublicNamesOptions) {
    this.#options = options
    this.#holders = readStateFile(options.file, parseHolders, options.onDamaged) ?? new Map<string, string>()
    this.#stored = JSON.stringify(Object.fromEntries(this.#holders))
  }

  get holders(): HostHolders {
    return this.#holders
  }

  /** Of every project, and the aliases. */
  get hosts(): readonly string[] {
    return [...new Set([...this.#holders.keys(), ...this.#options.aliases().keys()])]
  }

  /** Gives each name to whom it belongs now. Call when what is planned or runs has changed. */
  settle(): void {
    const claims = this.#listClaims()
    const isSame =
      claims.length === this.#claims.length && claims.every((claim, at) => isSameClaim(claim, this.#claims[at]))
    // Most of what happens changes nobody's names.
    if (isSame) return
    this.#claims = claims
    this.#claimants = claims.map(claimantOf)
    this.#holders = settleHolders(this.#holders, this.#claimants)
    this.#store()
  }

  /** The project counts as up until the returned function is called: it is told at once which names it goes without. */
  expect(plan: Plan): () => void {
    this.#coming.set(plan.id, plan)
    this.settle()
    return () => {
      this.#coming.delete(plan.id)
      this.settle()
    }
  }

  /** The address of a service by the first of its names that works now; null when none does. */
  urlOf(plan: Pick<Plan, 'id' | 'hosts'>, service: string): string | null {
    return publicUrlOf(plan, service, this.#world())
  }

  /** One sentence for each project that has names which this one would have, too. */
  warningsOf(project: string): readonly string[] {
    const claimant = this.#claimants.find((each) => each.project === project)
    if (claimant === undefined || !claimant.isUp) return []
    const taken = heldByOthers(claimant, this.#holders, this.#claimants)
    return [...new Set(taken.map(({ holder }) => holder))].map((holder) => {
      const hosts = taken.filter((each) => each.holder === holder).map(({ host }) => host)
      return this.#sentence(hosts, holder)
    })
  }

  /** Projects of which addresses or warnings are not what they were when this was asked last. */
  takeChanged(): readonly string[] {
    const changed: string[] = []
    for (const [project, { planned }] of this.#options.state.projects) {
      const urls = planned.plan.services.map(({ name }) => this.urlOf(planned.plan, name))
      const shown = JSON.stringify([urls, this.warningsOf(project)])
      if (this.#told.get(project) !== undefined && this.#told.get(project) !== shown) changed.push(project)
      this.#told.set(project, shown)
    }
    for (const project of this.#told.keys()) if (!this.#options.state.projects.has(project)) this.#told.delete(project)
    return changed
  }

  /** All names with what they lead to, sorted. */
  list(): readonly NameEntry[] {
    const { state, lookups } = this.#options
    return [...this.#holders]
      .flatMap(([host, id]): readonly NameEntry[] => {
        const plan = state.projects.get(id)?.planned.plan
        if (plan === undefined) return []
        const service = plan.hosts
          .find((each) => each.host === host)
          ?.rules.find(({ prefix }) => prefix === '/')?.service
        return [
          {
            host,
            project: plan.name,
            project_id: id,
            root: plan.root,
            service: service ?? null,
            url: this.#urlOfHost(host),
            leads_here: lookups.leadsHere(host),
          },
        ]
      })
      .concat(
        this.listAliases()
          .filter(({ project }) => project === null)
          .map(({ host, url }) => {
            const leadsHere = lookups.leadsHere(host)
            return { host, project: null, project_id: null, root: null, service: null, url, leads_here: leadsHere }
          }),
      )
      .sort((a, b) => (a.host < b.host ? -1 : 1))
  }

  /** Sorted. Where a project has the name, that goes first. */
  listAliases(): readonly AliasEntry[] {
    const { state, aliases, lookups } = this.#options
    return [...aliases()]
      .map(([host, port]): AliasEntry => {
        const project = state.projects.get(this.#holders.get(host) ?? '')?.planned.plan.name ?? null
        const isGood = project === null && lookups.leadsHere(host)
        return { host, port, url: isGood ? this.#urlOfHost(host) : null, project }
      })
      .sort((a, b) => (a.host < b.host ? -1 : 1))
  }

  #urlOfHost(host: string): string | null {
    const { ports, isTrusted } = this.#options
    return ports === null || host.startsWith('*.') ? null : urlOfHost(host, { ports, isTrusted })
  }

  #world(): PublicWorld {
    const { ports, isTrusted, lookups } = this.#options
    return { ports, isTrusted, holders: this.#holders, isKnown: (host) => lookups.leadsHere(host) }
  }

  #listClaims(): readonly Claim[] {
    const known = [...this.#options.state.projects].map(([project, { planned, instances }]) => {
      const plan = this.#coming.get(project) ?? planned.plan
      const isUp = this.#coming.has(project) || [...instances.values()].some(isActive)
      return { plan, isUp, upAt: planned.upAt ?? 0 }
    })
    const fresh = [...this.#coming.values()].filter(({ id }) => !this.#options.state.projects.has(id))
    return [...known, ...fresh.map((plan) => ({ plan, isUp: true, upAt: Number.MAX_SAFE_INTEGER }))]
  }

  #sentence(hosts: readonly string[], holder: string): string {
    const plan = this.#coming.get(holder) ?? this.#options.state.projects.get(holder)?.planned.plan
    const names = hosts.length === 1 ? `The name ${hosts.join('')} leads` : `The names ${hosts.join(', ')} lead`
    return (
      `${names} to the project "${plan?.name ?? holder}" in "${plan?.root ?? ''}", which had ${hosts.length === 1 ? 'it' : 'them'} first: ` +
      'services here are at their direct addresses. Give one of the two another [project] name or domain'
    )
  }

  #store(): void {
    const text = JSON.stringify(contestedHolders(this.#holders, this.#claimants))
    if (text === this.#stored) return
    this.#stored = text
    writeFileAtomic(this.#options.file, `${text}\n`).catch((error: unknown) => {
      this.#options.logger.log('warn', 'Cannot note who has which name', { error })
    })
  }
}

/** What decides about the names of a project. */
interface Claim {
  readonly plan: Pick<Plan, 'id' | 'hosts'>
  readonly isUp: boolean
  readonly upAt: number
}

function claimantOf({ plan: { id, hosts }, isUp, upAt }: Claim): HostClaimant {
  return { project: id, hosts: hosts.map(({ host }) => host), isUp, upAt }
}

function isSameClaim(one: Claim, other: Claim | undefined): boolean {
  if (other === undefined || one.isUp !== other.isUp || one.upAt !== other.upAt) return false
  return one.plan.id === other.plan.id && one.plan.hosts === other.plan.hosts
}

function parseHolders(stored: unknown): HostHolders | null {
  if (!isRecord(stored)) return null
  const entries = Object.entries(stored)
  const known = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return known.length === entries.length ? new Map(known) : null
}
