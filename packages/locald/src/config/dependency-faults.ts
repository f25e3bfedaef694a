// Faults between services: names that do not exist, circles, ports wanted twice.
import { nearestName } from '../lib/nearest-name.ts'
import type { Command, DependencyConfig, HealthCheck, Place, ServiceConfig } from './config.ts'
import { findReferences } from './references.ts'
import type { ServiceReference, UnknownReference } from './references.ts'
import type { Fault } from './source-text.ts'

/** A fault at a place that spans `length` columns. */
export interface PlacedFault extends Fault {
  readonly place: Place
  readonly length: number
}

/** `known` are all names that are written, also those of services that are too faulty to be among `services`. */
export function dependencyFaults(
  services: readonly ServiceConfig[],
  known: ReadonlySet<string>,
): readonly PlacedFault[] {
  return [
    ...services.flatMap((service) => service.dependsOn.flatMap((one) => unknownDependency(service, one, known))),
    ...cycles(services),
    ...sharedPorts(services),
    ...sharedVariables(services),
  ]
}

function unknownDependency(
  service: ServiceConfig,
  { service: name, place }: DependencyConfig,
  known: ReadonlySet<string>,
): readonly PlacedFault[] {
  if (name === service.name) {
    return [
      { place, length: name.length + 2, code: 'cycle', message: `"${name}" depends on itself`, hint: 'Remove it' },
    ]
  }
  if (known.has(name)) return []
  const message = `"${service.name}" depends on "${name}", which does not exist`
  return [
    {
      place,
      length: name.length + 2,
      code: 'unknown-service',
      message,
      hint: nameHint(name, without(known, service.name)),
    },
  ]
}

function without(names: ReadonlySet<string>, name: string): readonly string[] {
  return [...names].filter((one) => one !== name)
}

function nameHint(name: string, known: Iterable<string>): string {
  const names = [...known]
  const near = nearestName(name, names)
  if (near !== undefined) return `Did you mean "${near}"?`
  return names.length === 0 ? 'There is no other service' : `Services: ${names.join(', ')}`
}

/** One fault for each group of services that wait for each other, naming the whole circle. */
function cycles(services: readonly ServiceConfig[]): readonly PlacedFault[] {
  const byName = new Map(services.map((service) => [service.name, service]))
  const done = new Set<string>()
  const faults: PlacedFault[] = []
  const path: { readonly name: string; readonly through: DependencyConfig | undefined }[] = []

  const visit = (service: ServiceConfig, through: DependencyConfig | undefined): void => {
    const start = path.findIndex(({ name }) => name === service.name)
    if (start >= 0) {
      const names = [...path.slice(start).map(({ name }) => name), service.name]
      // Shown at the dependency that leads from the first service of the circle to the second.
      const place = (path[start + 1]?.through ?? through)?.place
      if (place !== undefined && names.length > 2) {
        const message = `These services wait for each other: ${names.join(' → ')}`
        faults.push({
          place,
          length: (names[1] ?? '').length + 2,
          code: 'cycle',
          message,
          hint: 'Remove one of these dependencies',
        })
      }
      return
    }
    if (done.has(service.name)) return
    path.push({ name: service.name, through })
    for (const dependency of service.dependsOn) {
      const next = byName.get(dependency.service)
      if (next !== undefined) visit(next, dependency)
    }
    path.pop()
    done.add(service.name)
  }
  for (const service of services) visit(service, undefined)
  return faults
}

function sharedPorts(services: readonly ServiceConfig[]): readonly PlacedFault[] {
  const owners = new Map<number, string>()
  return services.flatMap(({ name, port, place, places }) => {
    if (typeof port !== 'number') return []
    const owner = owners.get(port)
    owners.set(port, owner ?? name)
    if (owner === undefined) return []
    const message = `"${name}" wants port ${port}, which "${owner}" has`
    return [
      {
        place: places?.['port'] ?? place,
        length: String(port).length,
        code: 'conflict',
        message,
        hint: 'Remove the port of one of them: it is then assigned',
      },
    ]
  })
}

/** `a-b` and `a_b` would both be offered to others as `A_B_PORT`. */
function sharedVariables(services: readonly ServiceConfig[]): readonly PlacedFault[] {
  const owners = new Map<string, string>()
  return services.flatMap(({ name, place }) => {
    const prefix = name.toUpperCase().replaceAll(/[-.]/g, '_')
    const owner = owners.get(prefix)
    owners.set(prefix, owner ?? name)
    if (owner === undefined) return []
    const message = `"${name}" and "${owner}" would both be known to other services as ${prefix}_PORT`
    return [{ place, length: name.length, code: 'conflict', message, hint: 'Rename one of them' }]
  })
}

const serviceProperties = ['url', 'host', 'port']

/** References in `text` to services and properties that do not exist; `placeOf` finds a part of it in the file. */
export function referenceFaults(
  text: string,
  placeOf: (part: string) => Place,
  known: ReadonlySet<string>,
): readonly PlacedFault[] {
  return findReferences(text).flatMap((reference) => {
    const fault = 'scope' in reference ? unknownScope(reference) : unknownTarget(reference, known)
    return fault === undefined ? [] : [{ place: placeOf(reference.text), length: reference.text.length, ...fault }]
  })
}

/** Variables with a dot in their names exist, so only what looks like a slip is one. */
function unknownScope({ scope, text }: UnknownReference): Fault | undefined {
  if (nearestName(scope, ['services']) === undefined) return undefined
  const hint = 'Did you mean "services"?'
  return { code: 'unknown-reference', message: `"${text}}" refers to nothing that locald knows`, hint }
}

function unknownTarget({ service, property, text }: ServiceReference, known: ReadonlySet<string>): Fault | undefined {
  if (!known.has(service)) {
    const message = `"${text}}" refers to "${service}", which does not exist`
    return { code: 'unknown-service', message, hint: nameHint(service, known) }
  }
  if (serviceProperties.includes(property)) return undefined
  const hint = `A service has: ${serviceProperties.join(', ')}`
  return { code: 'unknown-reference', message: `A service has no "${property}" to refer to`, hint }
}

/** Texts of a service in which references are replaced, with the path of each below the service. */
export function referringTexts(service: {
  readonly env: Readonly<Record<string, string>>
  readonly command?: Command
  readonly healthCheck?: HealthCheck
}): readonly { readonly path: readonly (string | number)[]; readonly text: string }[] {
  const found: { path: readonly (string | number)[]; text: string }[] = Object.entries(service.env).map(
    ([name, text]) => ({
      path: ['env', name],
      text,
    }),
  )
  const addCommand = (path: readonly string[], command: Command): void => {
    if (typeof command === 'string') found.push({ path, text: command })
    else found.push(...command.map((text, index) => ({ path: [...path, index], text })))
  }
  if (service.command !== undefined) addCommand(['command'], service.command)
  const check = service.healthCheck
  if (check?.type === 'command') addCommand(['health_check', 'command'], check.command)
  if (check?.type === 'http') found.push({ path: ['health_check', 'path'], text: check.path })
  if (check?.type === 'http') {
    for (const [name, text] of Object.entries(check.headers))
      found.push({ path: ['health_check', 'headers', name], text })
  }
  return found
}
