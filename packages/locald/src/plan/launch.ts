// What of a service's definition refers to its siblings and its environment, with the references replaced.
import type { Command, HealthCheck } from '../config/config.ts'
import { unreachable } from '../lib/unreachable.ts'
import { addressesOf, siblingHost } from './addresses.ts'
import { referenceValues } from './environment.ts'
import type { Environment, Plan, ServicePlan } from './plan.ts'
import { substitute } from './references.ts'
import type { ReferenceValues } from './references.ts'

export interface Launch {
  readonly command?: Command
  readonly healthCheck?: HealthCheck
}

/** `environment` is that of the instance: {@link environmentFor}; `caBundle` what it was made with. */
export function launchOf(
  plan: Pick<Plan, 'services'>,
  service: ServicePlan,
  environment: Environment,
  caBundle?: string,
): Launch {
  const variables = new Map(environment.map(({ name, value }) => [name, value]))
  return substituteLaunch(
    service.config,
    referenceValues(addressesOf(plan.services, siblingHost(service.config)), (name) => variables.get(name), caBundle),
  )
}

/** A string is a shell's, of which only our own references are replaced; of a list every one is. */
export function substituteLaunch({ command, healthCheck }: Launch, values: ReferenceValues): Launch {
  return {
    ...(command === undefined ? {} : { command: substituteCommand(command, values) }),
    ...(healthCheck === undefined ? {} : { healthCheck: substituteCheck(healthCheck, values) }),
  }
}

function substituteCommand(command: Command, values: ReferenceValues): Command {
  return typeof command === 'string'
    ? substitute(command, 'shell', values)
    : command.map((word) => substitute(word, 'value', values))
}

function substituteCheck(check: HealthCheck, values: ReferenceValues): HealthCheck {
  switch (check.type) {
    case 'command':
      return { ...check, command: substituteCommand(check.command, values) }
    case 'http': {
      const headers = Object.entries(check.headers).map(([name, value]) => [name, substitute(value, 'value', values)])
      return { ...check, path: substitute(check.path, 'value', values), headers: Object.fromEntries(headers) }
    }
    case 'tcp':
    case 'log':
    case 'notify':
      return check
    default:
      return unreachable(check)
  }
}
