// The environment of one instance, with the origin of every value. The levels are described in docs/environment.md.
import type { Diagnostic, EnvSource, EnvVariable } from '@locald/protocol'
import { expandEnv } from '../config/env-file.ts'
import type { ParsedEnvFile } from '../config/env-file.ts'
import type { EnvEntry, ServiceConfig } from '../config/config.ts'
import { addressesOf, addressPart, serviceHost, siblingHost, siblingVariables } from './addresses.ts'
import type { Addresses } from './addresses.ts'
import type { EnvLayers } from './env-layers.ts'
import type { Environment, InstancePlan, Plan } from './plan.ts'
import { isServiceProperty, parseReferences, substitute } from './references.ts'
import type { ReferenceValues } from './references.ts'
import { urlFor } from './service-url.ts'

type Variables = Readonly<Record<string, string>>

/** What the environment of an instance depends on besides the plan. */
export interface EnvironmentInputs {
  readonly layers: EnvLayers
  /** The whole environment of the shell that ran `up`; filtered here. */
  readonly shell: Variables
  /** `--env NAME=VALUE`. */
  readonly flags: Variables
  /** Address of the run's notify socket; absent where there is none, as before a run. */
  readonly notifySocket?: string
  /** The certificate authority of locald's addresses; given on unless the service has a value of its own. */
  readonly caCertificate?: string
  /** What `${locald.ca_bundle}` stands for; absent where there is none, as without a daemon. */
  readonly caBundle?: string
  /** The address of the service by name; absent: none works, and it is told its direct one. */
  readonly publicUrl?: string
}

export interface InstanceEnvironment {
  readonly variables: Environment
  /** Each with the place of the entry it is about. Those about shared files are the same for every service. */
  readonly warnings: readonly Diagnostic[]
}

/** Throws a plain Error when the plan has no such instance. */
export function environmentFor(
  plan: Plan,
  instance: Pick<InstancePlan, 'service' | 'instance'>,
  inputs: EnvironmentInputs,
): InstanceEnvironment {
  const service = plan.services.find(({ name }) => name === instance.service)
  const planned = service?.instances.find((candidate) => candidate.instance === instance.instance)
  if (service === undefined || planned === undefined) {
    throw new Error(`The plan has no instance ${instance.instance} of "${instance.service}"`)
  }
  const { winners, warnings } = resolveEnvironment({
    ...inputs,
    project: plan.config,
    service: service.config,
    instance: planned.instance,
    port: planned.port,
    addresses: addressesOf(plan.services, siblingHost(service.config)),
  })
  return { variables: [...winners.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), warnings }
}

export interface EnvironmentSubject extends EnvironmentInputs {
  readonly project: { readonly name: string; readonly env: readonly EnvEntry[] }
  readonly service: Pick<ServiceConfig, 'name' | 'env' | 'container' | 'watchdogMs'>
  readonly instance: number
  readonly port: number | null
  readonly addresses: Addresses
}

/** Of all instances of these services; what several of them say is there once. */
export function environmentWarnings(
  plan: Plan,
  services: ReadonlySet<string>,
  inputs: EnvironmentInputs,
): readonly Diagnostic[] {
  const all = plan.services
    .filter(({ name }) => services.has(name))
    .flatMap(({ instances }) => instances.flatMap((instance) => environmentFor(plan, instance, inputs).warnings))
  return [...new Map(all.map((each) => [`${each.file}:${each.line}: ${each.message}`, each])).values()]
}

/** {@link environmentFor} for what is not yet part of a plan: the variables by name, unsorted. */
export function resolveEnvironment(subject: EnvironmentSubject): {
  readonly winners: ReadonlyMap<string, EnvVariable>
  readonly warnings: readonly Diagnostic[]
} {
  const { project, service, layers } = subject
  const shell = new Map(Object.entries(subject.shell).filter(([name]) => !notInherited.test(name)))
  const flags = new Map(Object.entries(subject.flags))
  // A port given by a flag is part of the plan already, or was refused there.
  if (subject.port !== null) flags.delete('PORT')
  const own = ownVariables(subject)
  const winners = new Map<string, EnvVariable>()
  const warnings: Diagnostic[] = []
  // A level above that no file can override is what a name means everywhere below, so that what is derived from it agrees.
  const lookup: Lookup = (name) => flags.get(name) ?? own.get(name) ?? winners.get(name)?.value
  const setAll = (source: EnvSource, variables: Iterable<readonly [string, string]>): void => {
    for (const [name, value] of variables) winners.set(name, { name, value, source, file: null, line: null })
  }
  const setPlaced = (source: EnvSource, entries: readonly ResolvedEntry[]): void => {
    for (const { name, value, place, unresolved } of entries) {
      winners.set(name, { name, value, source, file: place.file, line: place.line })
      warnings.push(...unresolved.map((missing) => unsetWarning(name, missing, place, source)))
    }
  }
  const withoutFlags = <T extends EnvEntry>(entries: readonly T[]): readonly T[] =>
    flags.size === 0 ? entries : entries.filter(({ name }) => !flags.has(name))
  const setFile = (source: EnvSource, { entries }: ParsedEnvFile, isShared: boolean): void => {
    const counted = withoutFlags(isShared ? withoutPort(entries) : entries)
    setPlaced(source, expandEnv(counted, lookup))
  }
  const setTable = (source: EnvSource, entries: readonly EnvEntry[]): void => {
    setPlaced(source, resolveTable(withoutFlags(entries), { ...subject, lookup }))
  }

  setAll('shell', shell)
  setAll('sibling', siblingVariables(subject.addresses, service.name))
  for (const file of layers.dotenv) setFile('dotenv', file, true)
  setTable('project', withoutPort(project.env))
  for (const file of layers.serviceFiles.get(service.name) ?? []) setFile('env_file', file, false)
  setTable('service', service.env)
  warnings.push(...replacedWarnings(winners, own), ...hiddenShellWarnings(winners, shell, own))
  setAll('locald', own)
  // A container has no such file.
  const isInside = service.container !== undefined
  if (subject.caCertificate !== undefined && !isInside && !winners.has('NODE_EXTRA_CA_CERTS')) {
    setAll('locald', [['NODE_EXTRA_CA_CERTS', subject.caCertificate]])
  }
  setAll('flag', flags)
  // Paths and tools of this machine mean nothing in a container; what the shell said was there to be referred to.
  if (service.container !== undefined) {
    for (const [name, { source }] of winners) if (source === 'shell') winners.delete(name)
  }
  return { winners, warnings }
}

/** A shared `PORT` cannot be meant for every service: see docs/ports.md. */
function withoutPort<T extends EnvEntry>(entries: readonly T[]): readonly T[] {
  return entries.filter(({ name }) => name !== 'PORT')
}

function ownVariables(subject: EnvironmentSubject): ReadonlyMap<string, string> {
  const { project, service, instance, port, notifySocket } = subject
  const own = new Map([
    ['PS', `${service.name}.${instance}`],
    ['LOCALD_PROJECT', project.name],
    ['LOCALD_SERVICE', service.name],
  ])
  if (notifySocket !== undefined) {
    own.set('NOTIFY_SOCKET', notifySocket)
    // Without WATCHDOG_PID, which would have to be known beforehand: it is meant for whoever reads it.
    if (service.watchdogMs !== undefined) own.set('WATCHDOG_USEC', String(service.watchdogMs * 1000))
  }
  if (port !== null) {
    const { container } = service
    // In a container it is told what to do there; from outside it is reached at the published port.
    own.set('PORT', String(container?.ports[0] ?? port))
    own.set('HOST', container === undefined ? serviceHost : '0.0.0.0')
  }
  const type = subject.addresses.get(service.name)?.type ?? 'auto'
  const url = subject.publicUrl ?? (port === null ? undefined : urlFor(type, serviceHost, port))
  if (url !== undefined) own.set('LOCALD_URL', url)
  return own
}

/** What belongs to the shell or its terminal, or was said to the process that the shell runs in, and not to a service. */
const notInherited =
  /^(?:npm_.*|INIT_CWD|_|SHLVL|PWD|OLDPWD|TMUX.*|NOTIFY_SOCKET|WATCHDOG_(?:PID|USEC)|LISTEN_(?:FDS|FDNAMES|PID)|LOCALD_(?:URL|PROJECT|SERVICE|RUN))$/

interface ResolvedEntry extends EnvEntry {
  readonly unresolved: readonly string[]
}

type Lookup = (name: string) => string | undefined

/**
 * A name means the other entries of the same table first, wherever they stand, then what `lookup` says. Where an entry leads
 * back to itself, the level below counts: `PATH = "bin:${PATH}"`.
 */
function resolveTable(
  entries: readonly EnvEntry[],
  { addresses, caBundle, lookup }: Pick<EnvironmentSubject, 'addresses' | 'caBundle'> & { readonly lookup: Lookup },
): readonly ResolvedEntry[] {
  const table = new Map(entries.map((entry) => [entry.name, entry]))
  const resolved = new Map<string, ResolvedEntry | 'being resolved'>()
  const valueOf = (name: string): string | undefined => {
    const entry = table.get(name)
    if (entry === undefined) return lookup(name)
    const known = resolved.get(name)
    if (known === 'being resolved') return lookup(name)
    return (known ?? resolve(entry)).value
  }
  const resolve = (entry: EnvEntry): ResolvedEntry => {
    resolved.set(entry.name, 'being resolved')
    const unresolved = requiredNames(entry.value).filter((name) => valueOf(name) === undefined)
    const value = substitute(entry.value, 'value', referenceValues(addresses, valueOf, caBundle))
    const result = { ...entry, value, unresolved }
    resolved.set(entry.name, result)
    return result
  }
  return [...table.values()].map((entry) => {
    const known = resolved.get(entry.name)
    return known === undefined || known === 'being resolved' ? resolve(entry) : known
  })
}

/** What references mean, for the values and the commands of a service. */
export function referenceValues(addresses: Addresses, variable: Lookup, caBundle?: string): ReferenceValues {
  return {
    variable,
    caBundle,
    service: ({ service, property }) => {
      const address = addresses.get(service)
      return address === undefined || !isServiceProperty(property) ? undefined : addressPart(address, property)
    },
  }
}

/** Names without a default, outside of defaults. */
function requiredNames(value: string): readonly string[] {
  return parseReferences(value, 'value').flatMap((piece) =>
    typeof piece !== 'string' && piece.kind === 'variable' && piece.fallback === undefined ? [piece.name] : [],
  )
}

function unsetWarning(name: string, missing: string, place: EnvEntry['place'], source: EnvSource): Diagnostic {
  const isTable = source === 'project' || source === 'service'
  const literal = isTable
    ? 'write "$${" for a literal "${"'
    : 'put the value in single quotes if "$" is meant literally'
  return {
    severity: 'warning',
    code: 'env-unset',
    message: `"${name}" refers to "${missing}", which is not set: it is taken as empty`,
    ...place,
    hint: `Set "${missing}" or give a default, \${${missing}:-…}; ${literal}`,
  }
}

function hiddenShellWarnings(
  winners: ReadonlyMap<string, EnvVariable>,
  shell: ReadonlyMap<string, string>,
  own: ReadonlyMap<string, string>,
): readonly Diagnostic[] {
  return [...winners.values()].flatMap(({ name, value, source, file, line }) => {
    const hidden = shell.get(name)
    if (source !== 'dotenv' || file === null || line === null || own.has(name)) return []
    if (hidden === undefined || hidden === value) return []
    return [
      {
        severity: 'warning',
        code: 'env-shell-hidden',
        message: `The value of "${name}" in this file is used, not the different one of your shell`,
        file,
        line,
        column: 1,
        hint: `For the value of the shell: locald up --env "${name}=$${name}"`,
      },
    ] satisfies Diagnostic[]
  })
}

function replacedWarnings(
  winners: ReadonlyMap<string, EnvVariable>,
  own: ReadonlyMap<string, string>,
): readonly Diagnostic[] {
  return [...own].flatMap(([name, value]) => {
    const replaced = winners.get(name)
    if (replaced === undefined || replaced.file === null || replaced.line === null || replaced.value === value)
      return []
    return [
      {
        severity: 'warning',
        code: 'env-replaced',
        message: `"${name}" is set by locald, to "${value}": this value is not used`,
        file: replaced.file,
        line: replaced.line,
        column: 1,
      },
    ] satisfies Diagnostic[]
  })
}
