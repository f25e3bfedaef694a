import type { Diagnostic } from '@locald/protocol'
import type { Config, Place } from '../config/config.ts'
import { nearestName } from '../lib/nearest-name.ts'
import { unreachable } from '../lib/unreachable.ts'
import { projectReferences, serviceReferences } from './configured-texts.ts'
import type { PlacedReference } from './configured-texts.ts'
import { hasPort } from './ports.ts'
import { isServiceProperty } from './references.ts'
import type { ServiceReference } from './references.ts'

/**
 * One error for each reference that cannot mean anything: unknown service, unknown property, no port, unreadable. Of the
 * services of `unclear` too little is known to complain about references to them.
 */
export function referenceFaults(config: Config, unclear: ReadonlySet<string>): readonly Diagnostic[] {
  const placed = [...projectReferences(config), ...config.services.flatMap((service) => serviceReferences(service))]
  return placed.flatMap((each) => faultOf(config, unclear, each) ?? [])
}

function faultOf(
  config: Config,
  unclear: ReadonlySet<string>,
  { reference, place }: PlacedReference,
): Diagnostic | undefined {
  switch (reference.kind) {
    case 'variable':
      return undefined
    case 'unreadable':
      return error(place, 'reference-unreadable', `Cannot read the reference "${reference.source}"`, {
        hint: 'Write ${services.NAME.url}, ${env.NAME} or ${NAME:-default}; for a literal "${" write "$${"',
      })
    case 'own':
      if (reference.property === 'ca_bundle') return undefined
      return error(place, 'unknown-property', `"${reference.source}" asks for something that locald does not have`, {
        hint: 'There is ${locald.ca_bundle}: a file with the certificate authorities of the system and of locald',
      })
    case 'service':
      if (unclear.has(reference.service)) return undefined
      return serviceFault(config, reference, place)
    default:
      return unreachable(reference)
  }
}

function serviceFault(config: Config, { service, property, source }: ServiceReference, place: Place) {
  const referred = config.services.find(({ name }) => name === service)
  if (referred === undefined) {
    const names = config.services.map(({ name }) => name)
    return error(place, 'unknown-service', `"${source}" refers to a service "${service}", which does not exist`, {
      hint: hintFor(service, names, 'The services are'),
    })
  }
  if (!isServiceProperty(property)) {
    return error(place, 'unknown-reference', `"${source}" asks for "${property}", which no service has`, {
      hint: hintFor(property, ['url', 'host', 'port'], 'A service has'),
    })
  }
  if (hasPort(referred)) return undefined
  return error(place, 'reference-without-port', `"${source}" refers to "${service}", which has no port`, {
    hint: `Give "${service}" a port, or remove the reference`,
  })
}

function hintFor(written: string, names: readonly string[], introduction: string): string {
  const nearest = nearestName(written, names)
  return nearest === undefined
    ? `${introduction} ${names.map((name) => `"${name}"`).join(', ')}`
    : `Did you mean "${nearest}"?`
}

function error(place: Place, code: string, message: string, { hint }: { hint: string }): Diagnostic {
  return { severity: 'error', code, message, ...place, hint }
}
