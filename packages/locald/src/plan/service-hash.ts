import type { Config, ServiceConfig } from '../config/config.ts'
import { hashOf } from '../lib/hash.ts'
import type { Addresses } from './addresses.ts'
import type { EnvLayers } from './env-layers.ts'
import { referenceValues, resolveEnvironment } from './environment.ts'
import { substituteLaunch } from './launch.ts'

interface HashSubject {
  readonly project: Pick<Config, 'name' | 'env'>
  readonly service: ServiceConfig
  /** Of the first instance. */
  readonly port: number | null
  readonly addresses: Addresses
  readonly layers: EnvLayers
  readonly flags: Readonly<Record<string, string>>
}

/** See `ServicePlan.hash`. Computed from the environment as it would be if the shell's were empty. */
export function serviceHash(subject: HashSubject): string {
  const { service, port, addresses } = subject
  const { winners } = resolveEnvironment({ ...subject, instance: 1, shell: {} })
  const { command } = substituteLaunch(
    service.command === undefined ? {} : { command: service.command },
    referenceValues(addresses, (name) => winners.get(name)?.value),
  )
  // What siblings offer counts only where a reference makes it part of something else, or each new service would restart
  // all others; what locald sets follows from the port and the names.
  const written = [...winners.values()].filter(({ source }) => source !== 'sibling' && source !== 'locald')
  return hashOf({
    command,
    workdir: service.workdir,
    env: Object.fromEntries(written.map(({ name, value }) => [name, value])),
    port,
    tty: service.tty,
    // How a process is called does not change how it runs.
    kind: ['auto', 'exec', 'worker', 'task'].includes(service.type) ? 'process' : service.type,
    container: service.container === undefined ? undefined : { ...service.container, stopSignal: undefined },
    site: service.site === undefined ? undefined : { ...service.site },
  })
}
