// Services by the words of a command line.
import type { ProjectStatus, ServiceSnapshot } from '@locald/protocol'
import { unknownInstance, unknownService } from '../plan/selection.ts'

/** Those named (`web`, `web.2`), or all when none is; throws `service_unknown`. */
export function matchServices(
  { project, services }: Pick<ProjectStatus, 'project' | 'services'>,
  names: readonly string[],
): readonly ServiceSnapshot[] {
  if (names.length === 0) return services
  for (const name of names) {
    if (services.some((snapshot) => isNamed(snapshot, name))) continue
    const [, service = '', number = ''] = /^(.+)\.(\d+)$/.exec(name) ?? []
    const count = services.filter((snapshot) => snapshot.name === service).length
    if (count > 0) throw unknownInstance(service, number, count)
    throw unknownService(
      project,
      name,
      services.map((snapshot) => snapshot.name),
    )
  }
  return services.filter((snapshot) => names.some((name) => isNamed(snapshot, name)))
}

function isNamed(snapshot: ServiceSnapshot, name: string): boolean {
  return snapshot.name === name || `${snapshot.name}.${snapshot.instance}` === name
}
