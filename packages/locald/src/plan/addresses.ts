// Where the services of a project are reached, before any of them runs, and the variables that tell their siblings.
import type { ServiceType } from '@locald/protocol'
import type { ServiceProperty } from './references.ts'
import { urlFor } from './service-url.ts'

/** Everything listens on the loopback interface, if it was not found at another address of it. */
export const serviceHost = '127.0.0.1'

/** What that interface is called inside a container. */
const hostOfContainers = 'host.docker.internal'

/** Where a service of this kind reaches its siblings. */
export function siblingHost({ container }: { readonly container?: unknown }): string {
  return container === undefined ? serviceHost : hostOfContainers
}

export interface ServiceAddress {
  readonly name: string
  readonly type: ServiceType
  readonly host: string
  /** One for each instance, in their order; empty when it has none. */
  readonly ports: readonly number[]
  /** What its siblings are told: `WEB_HOST`, `WEB_PORT`, `WEB_URL` and with replicas `WEB_PORTS`. */
  readonly variables: readonly (readonly [string, string])[]
}

/** By service name, in the order of the file. */
export type Addresses = ReadonlyMap<string, ServiceAddress>

/** What of a service decides about its address. */
interface Addressed {
  readonly name: string
  readonly config: { readonly type: ServiceType }
  readonly instances: readonly { readonly port: number | null; readonly host?: string }[]
}

/** The services of a plan are the same for each of them. */
const known = new WeakMap<readonly Addressed[], Map<string, Addresses>>()

/** Of services that do not change any more. */
export function addressesOf(services: readonly Addressed[], host: string = serviceHost): Addresses {
  const byHost = known.get(services) ?? new Map<string, Addresses>()
  known.set(services, byHost)
  const addresses = byHost.get(host) ?? findAddresses(services, host)
  byHost.set(host, addresses)
  return addresses
}

function findAddresses(services: readonly Addressed[], host: string): Addresses {
  return new Map(
    services.map(({ name, config: { type }, instances }) => {
      const ports = instances.flatMap(({ port }) => (port === null ? [] : [port]))
      // Containers have one address for all that is outside of them.
      const own = host === serviceHost ? (instances[0]?.host ?? host) : host
      return [name, { name, type, host: own, ports, variables: variablesAbout(name, type, own, ports) }] as const
    }),
  )
}

/** With replicas: of the first instance. `undefined`: it has no port. */
export function addressPart(
  { type, host, ports }: Pick<ServiceAddress, 'type' | 'host' | 'ports'>,
  property: ServiceProperty,
): string | undefined {
  const [port] = ports
  if (port === undefined) return undefined
  const parts = { host, port: String(port), url: urlFor(type, host, port) }
  return parts[property]
}

function variablesAbout(
  name: string,
  type: ServiceType,
  host: string,
  ports: readonly number[],
): ServiceAddress['variables'] {
  const [port] = ports
  if (port === undefined) return []
  const prefix = name.toUpperCase().replaceAll(/[-.]/g, '_')
  return [
    [`${prefix}_HOST`, host],
    [`${prefix}_PORT`, String(port)],
    [`${prefix}_URL`, urlFor(type, host, port)],
    ...(ports.length > 1 ? [[`${prefix}_PORTS`, ports.join(',')] as const] : []),
  ]
}

/** Variables that a service gets about the others, started or not. Of two names that look alike, the earlier one wins. */
export function siblingVariables(addresses: Addresses, ownName: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && !variables.has(name)) variables.set(name, value)
  }
  for (const sibling of addresses.values()) {
    if (sibling.name !== ownName) for (const [name, value] of sibling.variables) set(name, value)
  }
  const urlOfOnly = (type: ServiceType): string | undefined => {
    const [only, another] = [...addresses.values()].filter((address) => address.type === type)
    return only === undefined || another !== undefined || only.name === ownName ? undefined : addressPart(only, 'url')
  }
  set('DATABASE_URL', urlOfOnly('postgres'))
  set('REDIS_URL', urlOfOnly('redis'))
  return variables
}
