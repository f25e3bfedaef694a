// Where the services of a project are reached, before any of them runs, and the variables that tell their siblings.
import type { ServiceType } from '@locald/protocol'
import type { ServiceProperty } from './references.ts'
import { urlFor } from './service-url.ts'

/** Everything listens on the loopback interface. */
export const serviceHost = '127.0.0.1'

export interface ServiceAddress {
  readonly name: string
  readonly type: ServiceType
  /** One for each instance, in their order; empty when it has none. */
  readonly ports: readonly number[]
}

/** By service name, in the order of the file. */
export type Addresses = ReadonlyMap<string, ServiceAddress>

export function addressesOf(
  services: readonly {
    readonly name: string
    readonly config: { readonly type: ServiceType }
    readonly instances: readonly { readonly port: number | null }[]
  }[],
): Addresses {
  return new Map(
    services.map(({ name, config, instances }) => {
      const ports = instances.flatMap(({ port }) => (port === null ? [] : [port]))
      return [name, { name, type: config.type, ports }] as const
    }),
  )
}

/** With replicas: of the first instance. `undefined`: it has no port. */
export function addressPart({ type, ports }: ServiceAddress, property: ServiceProperty): string | undefined {
  const [port] = ports
  if (port === undefined) return undefined
  const parts = { host: serviceHost, port: String(port), url: urlFor(type, serviceHost, port) }
  return parts[property]
}

/** Variables that a service gets about the others, started or not. Of two names that look alike, the earlier one wins. */
export function siblingVariables(addresses: Addresses, ownName: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && !variables.has(name)) variables.set(name, value)
  }
  const siblings = [...addresses.values()].filter(({ name, ports }) => name !== ownName && ports.length > 0)
  for (const sibling of siblings) {
    const prefix = sibling.name.toUpperCase().replaceAll(/[-.]/g, '_')
    set(`${prefix}_HOST`, addressPart(sibling, 'host'))
    set(`${prefix}_PORT`, addressPart(sibling, 'port'))
    set(`${prefix}_URL`, addressPart(sibling, 'url'))
    if (sibling.ports.length > 1) set(`${prefix}_PORTS`, sibling.ports.join(','))
  }
  const urlOfOnly = (type: ServiceType): string | undefined => {
    const [only, another] = [...addresses.values()].filter((address) => address.type === type)
    return only === undefined || another !== undefined || only.name === ownName ? undefined : addressPart(only, 'url')
  }
  set('DATABASE_URL', urlOfOnly('postgres'))
  set('REDIS_URL', urlOfOnly('redis'))
  return variables
}
