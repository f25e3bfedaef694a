import type { ServiceConfig } from '../config/config.ts'

/** Whether what it runs is done when it has ended with 0: a task, or the build of a site. */
export function runsToItsEnd({ type }: Pick<ServiceConfig, 'type'>): boolean {
  return type === 'task' || type === 'site'
}
