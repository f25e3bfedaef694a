// Answers `url`: where a service is reached, by name and without one.
import { existsSync } from 'node:fs'
import { LocaldError } from '@locald/protocol'
import type { ProjectSelector, UrlAnswer } from '@locald/protocol'
import { serviceHost } from '../plan/addresses.ts'
import { frontServiceOf } from '../plan/host-names.ts'
import { selectInstances } from '../plan/selection.ts'
import { urlFor } from '../plan/service-url.ts'
import type { DaemonParts } from './daemon-parts.ts'
import type { Projects } from './projects.ts'

/** `name`: of a service, or the label of one instance; undefined: of the service that has the project's own name. */
export async function queryUrl(
  projects: Projects,
  { names, trust }: Pick<DaemonParts, 'names' | 'trust'>,
  selector: ProjectSelector,
  name: string | undefined,
): Promise<UrlAnswer> {
  const plan = await projects.planOf(selector)
  const asked = name ?? frontServiceOf(plan)
  if (asked === null) {
    throw new LocaldError(
      'usage',
      `Cannot tell which service of "${plan.name}" is meant: none has the project's own name`,
      {
        hint: `Name one of them: ${plan.services.map((service) => service.name).join(', ')}`,
      },
    )
  }
  const [instance] = selectInstances(plan, [asked], 'named')
  const snapshot = projects
    .statusOf(plan)
    .services.find((each) => each.name === instance?.service && each.instance === instance.instance)
  if (snapshot === undefined) throw new LocaldError('service_unknown', `There is no service "${asked}"`)
  const direct = snapshot.port === null ? null : urlFor(snapshot.type, snapshot.host ?? serviceHost, snapshot.port)
  // Who asks for its name is told by a page that it is stopped; at its port nobody would answer.
  const url = names.urlOf(plan, snapshot.name) ?? (snapshot.state === 'stopped' ? null : direct)
  return { url, direct, ca: existsSync(trust.rootsFile) ? trust.rootsFile : null }
}
