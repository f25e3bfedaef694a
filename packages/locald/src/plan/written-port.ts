// `PORT` in a service's own `env` or `env_file` means the same as `port` in its definition.
import type { Diagnostic, EnvVariable } from '@locald/protocol'
import type { Config, Place, ServiceConfig } from '../config/config.ts'
import type { EnvLayers } from './env-layers.ts'
import { resolveEnvironment } from './environment.ts'
import { hasPort } from './ports.ts'
import { parseReferences, referencesIn } from './references.ts'

type Flags = Readonly<Record<string, string>>

export interface WrittenPorts {
  /** With the ports found filled in, in the order of the file. */
  readonly services: readonly ServiceConfig[]
  /** Errors, and warnings about ports that are not used. */
  readonly diagnostics: readonly Diagnostic[]
}

/** `base`: foreman's way of counting ports, for which a shared `PORT` is the start and not a mistake. */
export function withWrittenPorts(
  config: Config,
  { layers, flags, isBased }: { readonly layers: EnvLayers; readonly flags: Flags; readonly isBased: boolean },
): WrittenPorts {
  const listeners = config.services.filter((service) => hasPort(service))
  const usesFlag = listeners.length === 1
  const usedFlags = usesFlag ? flags : Object.fromEntries(Object.entries(flags).filter(([name]) => name !== 'PORT'))
  const diagnostics: Diagnostic[] = [
    ...(isBased ? [] : sharedWarnings(config, layers)),
    ...(flags['PORT'] !== undefined && !usesFlag ? [flagWarning(config)] : []),
  ]
  const services = config.services.map((service) => {
    if (!hasPort(service)) return service
    const written = writtenPort(config, service, layers, usedFlags)
    if (written === undefined || (service.port !== undefined && written.source !== 'flag')) return service
    const reference = referenceToService(service, written)
    const port = reference === undefined ? portOf(written.value) : undefined
    if (port !== undefined && service.replicas === 1) return withPort(service, port)
    if (port !== undefined) diagnostics.push(replicasFault(service, written, port))
    else if (reference !== undefined || written.value !== '') diagnostics.push(badPort(service, written, reference))
    return service
  })
  return { services, diagnostics }
}

/** As if the definition had said it: a service with `port` listens there, whatever it is called. */
function withPort(service: ServiceConfig, port: number): ServiceConfig {
  return { ...service, port, listening: 'must', type: service.type === 'auto' ? 'exec' : service.type }
}

/** Without the shell, so that the same files give the same port from every terminal. */
function writtenPort(config: Config, service: ServiceConfig, layers: EnvLayers, flags: Flags): EnvVariable | undefined {
  const own = [...service.env, ...(layers.serviceFiles.get(service.name) ?? []).flatMap(({ entries }) => entries)]
  if (flags['PORT'] === undefined && !own.some(({ name }) => name === 'PORT')) return undefined
  const { winners } = resolveEnvironment({
    project: config,
    service,
    instance: 1,
    port: null,
    addresses: new Map(),
    layers,
    shell: {},
    flags,
  })
  return winners.get('PORT')
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** Ports of services are not known before this one is. */
function referenceToService(service: ServiceConfig, { source }: EnvVariable): string | undefined {
  const entry = source === 'service' ? service.env.findLast(({ name }) => name === 'PORT') : undefined
  const references = entry === undefined ? [] : referencesIn(parseReferences(entry.value, 'value'))
  return references.find(({ kind }) => kind === 'service')?.source
}

function badPort(service: ServiceConfig, written: EnvVariable, reference?: string): Diagnostic {
  const { value } = written
  return {
    severity: 'error',
    code: 'bad-port',
    message: `"PORT" of "${service.name}" is not a port: "${reference ?? value}"`,
    ...placeOf(service, written),
    hint: 'Write a number from 1 to 65535, or leave it out to get a free port',
  }
}

function replicasFault(service: ServiceConfig, written: EnvVariable, port: number): Diagnostic {
  const { name, replicas } = service
  return {
    severity: 'error',
    code: 'conflict',
    message: `"${name}" has ${replicas} replicas, which cannot share the fixed port ${port}`,
    ...placeOf(service, written),
    hint: 'Remove PORT: each replica is then assigned its own',
  }
}

/** Where a variable was written, or the service that has it by a flag. */
function placeOf(service: ServiceConfig, { source, file, line }: EnvVariable): Place {
  if (file === null || line === null) return service.place
  const entry = source === 'service' ? service.env.findLast(({ name }) => name === 'PORT') : undefined
  return entry?.place ?? { file, line, column: 1 }
}

function sharedWarnings(config: Config, { dotenv }: EnvLayers): readonly Diagnostic[] {
  const shared = [...dotenv.flatMap(({ entries }) => entries), ...config.env].filter(({ name }) => name === 'PORT')
  return shared.map(({ place }) => ({
    severity: 'warning',
    code: 'port-ignored',
    message: '"PORT" is not read from here, where it would be for all services: each has a port of its own',
    ...place,
    hint: 'Set "port" of the service, or "PORT" in its own "env"',
  }))
}

function flagWarning({ file }: Config): Diagnostic {
  return {
    severity: 'warning',
    code: 'port-ignored',
    message: '"--env PORT=…" is not used: more than one service has a port, or none',
    file,
    line: 1,
    column: 1,
    hint: 'Set "port" of the service',
  }
}
