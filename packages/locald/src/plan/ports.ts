// Which port each instance gets. Described in docs/ports.md.
import type { Diagnostic } from '@locald/protocol'
import type { ServiceConfig } from '../config/config.ts'
import { isBlockedPort } from '../lib/blocked-ports.ts'
import { hashBelow } from '../lib/hash.ts'
import { instanceKey } from './instance-key.ts'
import type { InstancePlan } from './plan.ts'

/** Both included: above the usual fixed ports, below those that Linux hands out to outgoing connections. */
export const assignedPorts = { first: 20_000, last: 32_767 } as const

const highestPort = 65_535

export interface PortInputs {
  /** Ports of an earlier plan of this project, by `instanceKey`. */
  readonly kept: ReadonlyMap<string, number>
  /** Ports of other known projects: never assigned. */
  readonly reserved: ReadonlySet<number>
  /** True when nobody listens there, or nobody but this very instance. */
  readonly isFree: (port: number, instance: Pick<InstancePlan, 'service' | 'instance'>) => boolean
  /** Foreman's way: the first service of the file prefers this port, each further one the next hundred. */
  readonly base?: number
}

export type PortResult =
  | {
      readonly ok: true
      readonly instances: ReadonlyMap<string, readonly InstancePlan[]>
      readonly warnings: readonly Diagnostic[]
    }
  | {
      readonly ok: false
      readonly code: 'config_invalid' | 'port_exhausted'
      readonly diagnostics: readonly Diagnostic[]
    }

/** Ports for all instances of all services, by service name. Fixed ones are given whether free or not. */
export function assignPorts(id: string, services: readonly ServiceConfig[], inputs: PortInputs): PortResult {
  const faults: Diagnostic[] = []
  const warnings: Diagnostic[] = []
  const chosen = new Map<string, number>()
  const takenBy = new Map<number, string>()
  const choose = (slot: Slot, port: number): void => {
    chosen.set(slotKey(slot), port)
    takenBy.set(port, slot.service)
  }
  const isAllowed = (slot: Slot, port: number): boolean =>
    !takenBy.has(port) && !inputs.reserved.has(port) && !isBlockedPort(port) && inputs.isFree(port, slot)

  const slots = services.flatMap((config, index) => slotsOf(config, index))
  // In this order: what is written, then what was kept, then what is new; so nobody loses a port to a newcomer.
  for (const slot of slots) {
    if (slot.fixed === undefined) continue
    const other = takenBy.get(slot.fixed)
    if (slot.fixed > highestPort) faults.push(tooHighFault(slot))
    else if (other !== undefined) faults.push(sharedFault(slot, slot.fixed, other))
    else choose(slot, slot.fixed)
    if (isBlockedPort(slot.fixed)) warnings.push(blockedWarning(slot, slot.fixed))
  }
  if (faults.length > 0) return { ok: false, code: 'config_invalid', diagnostics: faults }

  const open = slots.filter((slot) => slot.fixed === undefined)
  for (const slot of open) {
    const preferred = inputs.base === undefined ? inputs.kept.get(slotKey(slot)) : foremanPort(inputs.base, slot)
    if (preferred === undefined || (inputs.base === undefined && !isInRange(preferred))) continue
    if (preferred <= highestPort && isAllowed(slot, preferred)) choose(slot, preferred)
    else if (inputs.base !== undefined) warnings.push(movedWarning(slot, preferred))
  }
  for (const slot of open.filter((candidate) => !chosen.has(slotKey(candidate)))) {
    const port = freePort(id, slot, (candidate) => isAllowed(slot, candidate))
    if (port === undefined) return { ok: false, code: 'port_exhausted', diagnostics: [exhaustedFault(slot)] }
    choose(slot, port)
  }
  return {
    ok: true,
    instances: new Map(services.map((config) => [config.name, instancesOf(config, chosen)])),
    warnings,
  }
}

/** An instance that gets a port. */
interface Slot {
  readonly service: string
  readonly instance: number
  /** Of the service in the file, from 0. */
  readonly index: number
  /** Which of the ports of a container that has several; absent: the first. */
  readonly inside?: number
  readonly fixed?: number
  readonly config: ServiceConfig
}

function slotsOf(config: ServiceConfig, index: number): readonly Slot[] {
  if (!hasPort(config)) return []
  return instanceNumbers(config).flatMap((instance) => {
    const slot: Slot = { service: config.name, instance, index, config }
    const first = typeof config.port === 'number' ? { ...slot, fixed: config.port + instance - 1 } : slot
    return [first, ...furtherPorts(config).map((inside) => ({ ...slot, inside }))]
  })
}

function furtherPorts({ container }: ServiceConfig): readonly number[] {
  return container?.ports.slice(1) ?? []
}

/** What a port is kept by: the instance's key, and for further ports of a container which one it is. */
export function portKey(service: string, instance: number, inside?: number): string {
  const key = instanceKey(service, instance)
  return inside === undefined ? key : `${key}:${inside}`
}

function slotKey({ service, instance, inside }: Slot): string {
  return portKey(service, instance, inside)
}

export function hasPort({ port, listening }: Pick<ServiceConfig, 'port' | 'listening'>): boolean {
  return typeof port === 'number' || (port !== false && listening !== 'never')
}

function instancesOf(config: ServiceConfig, chosen: ReadonlyMap<string, number>): readonly InstancePlan[] {
  return instanceNumbers(config).map((instance) => {
    const port = chosen.get(portKey(config.name, instance))
    const more = furtherPorts(config).flatMap((inside) => chosen.get(portKey(config.name, instance, inside)) ?? [])
    const known = { service: config.name, instance, port: port ?? null }
    return more.length === 0 ? known : { ...known, morePorts: more }
  })
}

function instanceNumbers({ replicas }: ServiceConfig): readonly number[] {
  return Array.from({ length: replicas }, (_, index) => index + 1)
}

function foremanPort(base: number, { index, instance }: Slot): number {
  return base + 100 * index + instance - 1
}

function isInRange(port: number): boolean {
  return port >= assignedPorts.first && port <= assignedPorts.last
}

function freePort(
  id: string,
  { service, instance, inside }: Slot,
  isAllowed: (port: number) => boolean,
): number | undefined {
  const count = assignedPorts.last - assignedPorts.first + 1
  const start = hashBelow(inside === undefined ? [id, service, instance] : [id, service, instance, inside], count)
  for (let step = 0; step < count; step++) {
    const port = assignedPorts.first + ((start + step) % count)
    if (isAllowed(port)) return port
  }
  return undefined
}

function fault({ config }: Slot, code: string, message: string, hint: string): Diagnostic {
  return { severity: 'error', code, message, ...(config.places?.['port'] ?? config.place), hint }
}

function tooHighFault(slot: Slot): Diagnostic {
  const message = `Instance ${slot.instance} of "${slot.service}" has no port: ${slot.fixed} is above ${highestPort}`
  return fault(slot, 'bad-port', message, 'Choose a lower "port", or leave it out to get free ones')
}

function sharedFault(slot: Slot, port: number, other: string): Diagnostic {
  const message = `"${slot.service}" and "${other}" both have port ${port}`
  return fault(slot, 'port-shared', message, 'Give one of them another port, or leave "port" out to get a free one')
}

function exhaustedFault(slot: Slot): Diagnostic {
  const message = `Cannot find a free port for "${slot.service}" from ${assignedPorts.first} to ${assignedPorts.last}`
  return fault(
    slot,
    'port-exhausted',
    message,
    'Stop what holds these ports, or set "port" to one outside of the range',
  )
}

function blockedWarning(slot: Slot, port: number): Diagnostic {
  const message = `Browsers refuse to open port ${port}, which "${slot.service}" has`
  return {
    ...fault(slot, 'port-blocked', message, 'Choose another port if a browser is to reach it'),
    severity: 'warning',
  }
}

function movedWarning(slot: Slot, port: number): Diagnostic {
  const message = `"${slot.service}" gets another port than ${port}, which cannot be used: somebody has it, or browsers refuse it`
  const hint = `Stop what listens on port ${port}, or set another PORT to count from`
  return { ...fault(slot, 'port-moved', message, hint), severity: 'warning' }
}
