import type { ServiceConfig } from '../config/config.ts'

/** Whether what it runs is done when it has ended with 0: a task, or the build of a site. */
export function runsToItsEnd({ type }: Pick<ServiceConfig, 'type'>): boolean {
  return type === 'task' || type === 'site'
}

/** Whether it is of use only once it was healthy: to end with 0 before that is no success. */
export function hasToBeHealthy(config: Pick<ServiceConfig, 'type' | 'listening' | 'healthCheck'>): boolean {
  return !runsToItsEnd(config) && (config.listening === 'must' || config.healthCheck !== undefined)
}
