// Which service a request is for. The daemon decides it and tells the proxy; plain data, so that it crosses threads.

/** All that the proxy knows about names and services; a new one replaces the last. */
export interface RouteTable {
  /** By lower-case host name without port; `*.shop.test` is every name with one label more that has no entry of its own. */
  readonly hosts: Readonly<Record<string, HostRoute>>
  /** By `ServiceTarget.key`. */
  readonly services: Readonly<Record<string, ServiceTarget>>
}

export interface HostRoute {
  /** Longest prefix first, "/" last. */
  readonly rules: readonly PathRule[]
  /** Trust was verified: plain HTTP is redirected (308) to this HTTPS port. Null: HTTP is served as it is. */
  readonly redirectTo: number | null
}

export interface PathRule {
  /** Begins with "/". "/api" matches "/api", "/api/…" and "/api?…", not "/apis". */
  readonly prefix: string
  /** The key of a service. */
  readonly service: string
  /** The service sees the path without the prefix. */
  readonly stripPrefix: boolean
}

export interface ServiceTarget {
  /** `<project id>/<service>`. */
  readonly key: string
  /** "web", for people. */
  readonly label: string
  /** The project's name, for people. */
  readonly project: string
  /** up: forward. starting: hold. idle: ask the daemon to start it, then hold. down, failed: say so. */
  readonly state: ServiceState
  /** Those that take requests now. Each is dialled at 127.0.0.1, then at ::1. */
  readonly upstreams: readonly Upstream[]
  /** Files to be served in place of a process. */
  readonly site: Site | null
  /** How long a request is held, in milliseconds. */
  readonly holdMs: number
}

export type ServiceState = 'up' | 'starting' | 'idle' | 'down' | 'failed'

export interface Upstream {
  readonly instance: number
  readonly port: number
}

export interface Site {
  /** Absolute. */
  readonly directory: string
  /** Pages reload when a file below the directory changes. */
  readonly liveReload: boolean
}

/** What the proxy knows before the daemon has told it anything. */
export const emptyRouteTable: RouteTable = { hosts: {}, services: {} }

/** What a host name leads to; undefined: nothing does. */
export function routeOf({ hosts }: Pick<RouteTable, 'hosts'>, host: string): HostRoute | undefined {
  if (Object.hasOwn(hosts, host)) return hosts[host]
  const wildcard = `*${host.slice(host.indexOf('.'))}`
  return host.includes('.') && Object.hasOwn(hosts, wildcard) ? hosts[wildcard] : undefined
}

/** The rule for a request's target, or null: none of this host's. The target is compared as it came. */
export function ruleFor(route: HostRoute, target: string): PathRule | null {
  const { rules } = route
  for (const rule of rules) if (isBelow(rule.prefix, target)) return rule
  // `OPTIONS *` is about the whole server.
  return target === '*' ? (rules.at(-1) ?? null) : null
}

function isBelow(prefix: string, target: string): boolean {
  if (prefix === '/') return target.charCodeAt(0) === slash
  if (!target.startsWith(prefix)) return false
  const next = target.charCodeAt(prefix.length)
  return Number.isNaN(next) || next === slash || next === questionMark || prefix.endsWith('/')
}

const slash = 0x2f
const questionMark = 0x3f

/** A target without a rule's prefix. */
export function withoutPrefix(rule: PathRule, target: string): string {
  if (!rule.stripPrefix || rule.prefix === '/' || target === '*') return target
  const rest = target.slice(rule.prefix.endsWith('/') ? rule.prefix.length - 1 : rule.prefix.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** A `Host` or `:authority` as a key of the table; null when it is none. */
export function hostNameOf(authority: string): string | null {
  if (!authorityForm.test(authority)) return null
  const colon = authority.lastIndexOf(':')
  const isPort = colon > authority.lastIndexOf(']')
  const name = (isPort ? authority.slice(0, colon) : authority).toLowerCase()
  return name.endsWith('.') ? name.slice(0, -1) : name
}

const authorityForm = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/u
