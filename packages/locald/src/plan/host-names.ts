// Which host names a project has, and which service answers at each. Described in docs/names.md. Pure.
import type { Diagnostic } from '@locald/protocol'
import type { Config, RouteConfig, ServiceConfig } from '../config/config.ts'
import { hostLabel, isHostName, isOwnHost, isWildcard } from '../lib/host-name.ts'
import type { HostPlan, RulePlan } from './plan.ts'
import { hasPort } from './ports.ts'

export interface HostNames {
  /** For each service the name that it is shown with comes first. */
  readonly hosts: readonly HostPlan[]
  readonly diagnostics: readonly Diagnostic[]
}

/** What of a configuration decides about its names. */
export type NamedConfig = Pick<Config, 'name' | 'domain' | 'domains' | 'worktree' | 'services' | 'routes' | 'file'>

/** Ports on which containers speak something that no browser understands. */
const otherProtocols: ReadonlySet<number> = new Set([
  21, 22, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1025, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5433, 5671,
  5672, 6379, 6380, 7687, 8883, 9042, 9092, 9093, 11_211, 26_257, 27_017, 27_018, 33_060, 61_616,
])

/**
 * The first name of each service is the one that it is shown with. Whether a service of `unclear` has a port is not known,
 * and not complained about.
 */
export function hostNamesOf(written: NamedConfig, unclear: ReadonlySet<string> = new Set()): HostNames {
  const config = withOwnLabel(written)
  const claims = claimsOf(config)
  const owners = ownersOf(claims)
  const front = frontOf(config)
  const main = domainsOf(config)
  const routes = config.routes.map(({ prefix, service, stripPrefix }) => ({ prefix, service, stripPrefix }))
  const rulesOf = (host: string, service: string | null): readonly RulePlan[] => {
    const isMain = main.includes(host) || (service !== null && service === front?.name)
    const own = service === null ? [] : [{ prefix: '/', service, stripPrefix: false }]
    const rules = isMain ? [...routes, ...own.filter(() => !routes.some(({ prefix }) => prefix === '/'))] : own
    return rules.toSorted((a, b) => b.prefix.length - a.prefix.length)
  }
  const bare = config.routes.length === 0 ? [] : main.filter((host) => !owners.has(host))
  return {
    hosts: [
      ...[...owners].map(([host, { service }]) => ({ host, rules: rulesOf(host, service.name) })),
      ...bare.map((host) => ({ host, rules: rulesOf(host, null) })),
    ],
    diagnostics: [
      ...claims.flatMap((claim) => faultOf(claim, owners.get(claim.host)) ?? []),
      ...config.routes
        .filter(({ service }) => !unclear.has(service))
        .flatMap((route) => routeFault(route, config.services) ?? []),
    ],
  }
}

const hostsByService = new WeakMap<readonly HostPlan[], ReadonlyMap<string, readonly string[]>>()

/** The host names at which a service answers at "/", the one that it is shown with first. */
export function hostsOf({ hosts }: { readonly hosts: readonly HostPlan[] }, service: string): readonly string[] {
  const known = hostsByService.get(hosts) ?? groupByService(hosts)
  hostsByService.set(hosts, known)
  return known.get(service) ?? []
}

function groupByService(hosts: readonly HostPlan[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const { host, rules } of hosts) {
    const last = rules.at(-1)
    if (last?.prefix !== '/') continue
    const group = groups.get(last.service)
    if (group === undefined) groups.set(last.service, [host])
    else group.push(host)
  }
  return groups
}

/** Who answers at the shortest name of the project, which is the project's own; null: nobody does. */
export function frontServiceOf({ hosts }: { readonly hosts: readonly HostPlan[] }): string | null {
  const own = hosts.toSorted((a, b) => a.host.split('.').length - b.host.split('.').length)[0]
  return own?.rules.find(({ prefix }) => prefix === '/')?.service ?? null
}

/** Whether a name can lead to it: it listens, or is files that the proxy serves. */
export function isReachable(service: Pick<ServiceConfig, 'port' | 'listening' | 'site'>): boolean {
  return service.site !== undefined || hasPort(service)
}

/** One service that would have this name. */
interface Claim {
  readonly host: string
  readonly service: ServiceConfig
  /** Written in the configuration, not made by the scheme. */
  readonly isWritten: boolean
}

function claimsOf(config: NamedConfig): readonly Claim[] {
  const named = config.services.filter((service) => isReachable(service) && speaksHttp(service))
  const front = frontOf(config)
  const only = named.length === 1 && front === undefined ? named : []
  const ofScheme = domainsOf(config).flatMap((domain) => [
    ...named.map((service) => {
      const host = service === front ? domain : `${hostLabel(service.name) || 'service'}.${domain}`
      return { host, service, isWritten: false }
    }),
    ...only.map((service) => ({ host: domain, service, isWritten: false })),
  ])
  const written = config.services
    .filter(isReachable)
    .flatMap((service) => service.domains.map((domain) => ({ host: placed(domain, config), service, isWritten: true })))
  return [...ofScheme, ...written]
}

/** Who answers at the project's own names: what a route says of "/", else `web`, else the one named like the project. */
function frontOf({ name, services, routes }: NamedConfig): ServiceConfig | undefined {
  const routed = routes.find(({ prefix }) => prefix === '/')?.service
  const able = services.filter((service) => isReachable(service) && speaksHttp(service))
  const called = (label: string): ServiceConfig | undefined => able.find((service) => service.name === label)
  if (routed !== undefined) return called(routed)
  return called('web') ?? called(name) ?? able.find((service) => hostLabel(service.name) === hostLabel(name))
}

function speaksHttp({ type, container }: ServiceConfig): boolean {
  if (type === 'postgres' || type === 'redis') return false
  const port = container?.ports[0]
  return port === undefined || !otherProtocols.has(port)
}

function domainsOf(config: NamedConfig): readonly string[] {
  return [...new Set([config.domain, ...config.domains].map((domain) => placed(domain, config)))]
}

/** Where a branch is called like a service, its worktree takes the long label: the main checkout has the names of the short one. */
function withOwnLabel(config: NamedConfig): NamedConfig {
  const { worktree, ...main } = config
  if (worktree === undefined) return config
  const taken = new Set(wantedHosts(main))
  if (!wantedHosts(config).some((host) => taken.has(host))) return config
  return { ...main, worktree: { ...worktree, label: worktree.longLabel } }
}

function wantedHosts(config: NamedConfig): readonly string[] {
  return [...domainsOf(config), ...claimsOf(config).map(({ host }) => host)]
}

/** In a linked worktree its label comes first, so that no two checkouts have a name in common. */
function placed(host: string, { worktree }: NamedConfig): string {
  const name = host.toLowerCase()
  if (worktree === undefined) return name
  return name.startsWith('*.') ? `*.${worktree.label}.${name.slice(2)}` : `${worktree.label}.${name}`
}

/** Of two services with one name, the one for which it is written has it, else the one that stands first. */
function ownersOf(claims: readonly Claim[]): ReadonlyMap<string, Claim> {
  const usable = claims.filter(({ host }) => !isOwnHost(host) && (isHostName(host) || isWildcard(host)))
  const owners = new Map<string, Claim>()
  for (const claim of usable) {
    const owner = owners.get(claim.host)
    if (owner === undefined || (claim.isWritten && !owner.isWritten)) owners.set(claim.host, claim)
  }
  return owners
}

function faultOf({ host, service }: Claim, owner: Claim | undefined): Diagnostic | undefined {
  const place = service.place
  if (isOwnHost(host)) {
    return {
      severity: 'error',
      code: 'name-reserved',
      message: `"${service.name}" would be called "${host}", which is the name of locald itself`,
      ...place,
      hint: 'Give the project another domain: [project] domain = "…"',
    }
  }
  if (owner === undefined) {
    return {
      severity: 'error',
      code: 'name-too-long',
      message: `"${service.name}" would be called "${host}", which is too long for a host name`,
      ...place,
      hint: 'Give the project a shorter domain: [project] domain = "…"',
    }
  }
  if (owner.service === service) return undefined
  return {
    severity: 'warning',
    code: 'name-shared',
    message: `"${service.name}" and "${owner.service.name}" would both be called "${host}": it leads to "${owner.service.name}"`,
    ...place,
    hint: 'Rename one of them, or give it another name: domains = ["…"]',
  }
}

function routeFault(
  { prefix, service: name, place }: RouteConfig,
  services: Config['services'],
): Diagnostic | undefined {
  const service = services.find((each) => each.name === name)
  if (service === undefined || isReachable(service)) return undefined
  return {
    severity: 'error',
    code: 'route-without-port',
    message: `The route "${prefix}" leads to "${name}", which listens nowhere`,
    ...place,
    hint: `Give "${name}" a port, or remove the route`,
  }
}
