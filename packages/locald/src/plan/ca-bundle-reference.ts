import type { Config, ServiceConfig } from '../config/config.ts'
import { projectReferences, serviceReferences } from './configured-texts.ts'

/** Whether anything that a service is started with names the bundle of certificates, which is then made for it. */
export function refersToBundle(project: Pick<Config, 'env'>, service: ServiceConfig): boolean {
  return [...projectReferences(project), ...serviceReferences(service)].some(
    ({ reference }) => reference.kind === 'own',
  )
}
