// Services by the words of a command line.
import { LocaldError } from '@locald/protocol'
import type { ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import { nearestName } from '../lib/nearest-name.ts'

/** Those named (`web`, `web.2`), or all when none is; throws `service_unknown`. */
export function matchServices(
  { project, services }: Pick<ProjectStatus, 'project' | 'services'>,
  names: readonly string[],
): readonly ServiceSnapshot[] {
  if (names.length === 0) return services
  for (const name of names) {
    if (!services.some((snapshot) => isNamed(snapshot, name)))
      throw unknownService(
        name,
        project,
        services.map((s) => s.name),
      )
  }
  return services.filter((snapshot) => names.some((name) => isNamed(snapshot, name)))
}

export function unknownService(name: string, project: string, known: readonly string[]): LocaldError {
  const near = nearestName(name, known)
  const all = [...new Set(known)].join(', ')
  return new LocaldError('service_unknown', `There is no service "${name}" in project "${project}"`, {
    hint: near === undefined ? `It has: ${all === '' ? 'none' : all}` : `Did you mean "${near}"?`,
  })
}

function isNamed(snapshot: ServiceSnapshot, name: string): boolean {
  return snapshot.name === name || `${snapshot.name}.${snapshot.instance}` === name
}
