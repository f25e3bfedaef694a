// The address at which people reach a service by its name. Pure.
import { hostsOf } from '../plan/host-names.ts'
import type { Plan } from '../plan/plan.ts'
import type { HostHolders } from './host-holders.ts'

export interface ProxyPorts {
  readonly http: number
  readonly https: number
}

export interface PublicWorld {
  /** Null: there is no proxy. */
  readonly ports: ProxyPorts | null
  /** https was verified to work for that name. */
  readonly isTrusted: (host: string) => boolean
  readonly holders: HostHolders
  /** Whether the name leads to this machine now. */
  readonly isKnown: (host: string) => boolean
}

/** The first of the service's names that works right now; null when none does. */
export function publicUrlOf(plan: Pick<Plan, 'id' | 'hosts'>, service: string, world: PublicWorld): string | null {
  const { ports, holders, isKnown } = world
  if (ports === null) return null
  const host = hostsOf(plan, service).find(
    (each) => !each.startsWith('*.') && holders.get(each) === plan.id && isKnown(each),
  )
  return host === undefined ? null : urlOfHost(host, { ports, isTrusted: world.isTrusted })
}

export function urlOfHost(
  host: string,
  { ports, isTrusted }: { readonly ports: ProxyPorts; readonly isTrusted: (host: string) => boolean },
): string {
  const [scheme, port, usual] = isTrusted(host) ? ['https', ports.https, 443] : ['http', ports.http, 80]
  return `${scheme}://${host}${port === usual ? '' : `:${port}`}`
}
