// One service of a configuration, from what is written to what it means: defaults, inference, and rules across its keys.
import { resolve } from 'node:path'
import type { HealthCheckDocument, ServiceDocument } from '@locald/protocol/config'
import type { ServiceType } from '@locald/protocol'
import { cronFault } from '../lib/cron.ts'
import { nearestName } from '../lib/nearest-name.ts'
import { parseDuration } from '../lib/duration.ts'
import { parseSignal, signalNames } from '../lib/signals.ts'
import { unreachable } from '../lib/unreachable.ts'
import type {
  Command,
  ContainerConfig,
  DependencyConfig,
  EnvEntry,
  HealthCheck,
  Listening,
  Place,
  Placed,
  ServiceConfig,
} from './config.ts'
import { referringTexts } from './dependency-faults.ts'
import { durationFault } from './duration-fault.ts'
import { hostNameFault } from './host-name-fault.ts'
import type { Fault, Span } from './source-text.ts'
import type { TomlPath } from './toml-index.ts'

/** A service as some file describes it, and how to point into that file. Paths begin below the service. */
export interface ServiceSource {
  readonly name: string
  readonly document: ServiceDocument
  readonly spanOf: (path: TomlPath, at?: 'key' | 'value') => Span
  readonly placeOf: (span: Span) => Place
  /** False: that key was faulty already, and nothing more should be said about it. */
  readonly isSound: (key: string) => boolean
  readonly report: (path: TomlPath, fault: Fault & { readonly at?: 'key' | 'value' }) => void
}

/** Keys for which a user or the program has defaults. */
export type ServiceDefaults = Pick<
  ServiceDocument,
  | 'restart'
  | 'start_timeout'
  | 'stop_signal'
  | 'stop_timeout'
  | 'stop_scope'
  | 'port_discovery'
  | 'on_unhealthy'
  | 'tty'
>

/** As they would be written; the meaning of each is in docs/configuration.md. */
export const builtInDefaults = {
  restart: 'on-failure',
  start_timeout: '60s',
  stop_signal: 'SIGTERM',
  stop_timeout: '10s',
  stop_scope: 'group',
  port_discovery: 'auto',
  on_unhealthy: 'ignore',
  tty: true,
} as const satisfies ServiceDefaults

/** A task ends by itself: it may take its time, and running it again is a decision. */
export const taskDefaults = { restart: 'never', start_timeout: 'never' } as const

/** Reports every fault to the source and fills in something harmless for it. */
export function buildService(source: ServiceSource, root: string, user: ServiceDefaults): ServiceConfig {
  const { name, document } = source
  const type = typeOf(document)
  checkKeys(source, type)
  checkValues(source)
  const healthCheck = buildHealthCheck(source)
  const port = portOf(source)
  const task = type === 'task' || type === 'site'
  const startTimeout =
    document.start_timeout ?? (task ? undefined : (user.start_timeout ?? builtInDefaults.start_timeout))
  const stopTimeout = document.stop_timeout ?? user.stop_timeout ?? builtInDefaults.stop_timeout
  return {
    name,
    type,
    listening: listeningOf(name, document, type, port),
    ...optional('command', type === 'site' ? document.build : document.command),
    workdir: type === 'container' ? root : resolve(root, document.workdir ?? '.'),
    ...(port === undefined ? {} : { port }),
    portDiscovery: document.port_discovery ?? user.port_discovery ?? builtInDefaults.port_discovery,
    env: envEntries(document.env, (key) => source.placeOf(source.spanOf(['env', key], 'key'))),
    envFiles: envFilesOf(source, root),
    dependsOn: dependenciesOf(source),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    onUnhealthy: document.on_unhealthy ?? user.on_unhealthy ?? builtInDefaults.on_unhealthy,
    startTimeoutMs: startTimeout === undefined ? null : (parseDuration(startTimeout) ?? null),
    restart: document.restart ?? (task ? taskDefaults.restart : (user.restart ?? builtInDefaults.restart)),
    stopSignal: parseSignal(document.stop_signal ?? user.stop_signal ?? builtInDefaults.stop_signal) ?? 'SIGTERM',
    stopTimeoutMs: stopTimeout === 'never' ? null : (parseDuration(stopTimeout) ?? null),
    stopScope: document.stop_scope ?? user.stop_scope ?? builtInDefaults.stop_scope,
    watch: document.watch ?? [],
    tty: document.tty ?? (type === 'container' ? false : (user.tty ?? builtInDefaults.tty)),
    replicas: document.replicas ?? 1,
    start: document.start ?? 'up',
    ...durationField('idleTimeoutMs', document.idle_timeout),
    ...durationField('watchdogMs', document.watchdog),
    ...(document.schedule === undefined ? {} : { schedule: document.schedule }),
    domains: document.domains ?? [],
    ...(type === 'container' ? { container: containerOf(document) } : {}),
    ...(type === 'site'
      ? { site: { path: resolve(root, document.path ?? '.'), ...optional('build', document.build) } }
      : {}),
    place: source.placeOf(source.spanOf([], 'key')),
    places: placesOf(source, healthCheck),
  }
}

/** Where the texts with references stand, and the port. */
function placesOf({ document, spanOf, placeOf }: ServiceSource, check: HealthCheck | undefined): Record<string, Place> {
  const isSite = typeOf(document) === 'site'
  const command = isSite ? document.build : document.command
  const texts = referringTexts({ env: {}, ...optional('command', command), ...optional('healthCheck', check) })
  const writtenAs = (path: TomlPath): TomlPath => {
    if (path[0] === 'command' && isSite) return ['build', ...path.slice(1)]
    return path[0] === 'health_check' && typeof document.health_check === 'string' ? ['health_check'] : path
  }
  const port: readonly TomlPath[] =
    document.port !== undefined ? [['port']] : document.env?.['PORT'] !== undefined ? [['env', 'PORT']] : []
  return Object.fromEntries([
    ...texts.map(({ path }) => [path.join('.'), placeOf(spanOf(writtenAs(path)))] as const),
    ...port.map((path) => ['port', placeOf(spanOf(path))] as const),
  ])
}

/** The variables of a table, in its order. */
export function envEntries(env: ServiceDocument['env'], placeOf: (key: string) => Place): readonly EnvEntry[] {
  return Object.entries(env ?? {}).map(([name, value]) => ({ name, value: String(value), place: placeOf(name) }))
}

function optional<K extends string, T>(key: K, value: T | undefined): Partial<Record<K, T>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, T>)
}

function durationField<K extends string>(key: K, written: string | number | undefined): Partial<Record<K, number>> {
  return optional(key, written === undefined ? undefined : parseDuration(written))
}

function typeOf(document: ServiceDocument): ServiceType {
  if (document.type !== undefined) return document.type
  if (document.image !== undefined) return 'container'
  if (typeof writtenPort(document) === 'number' || document.health_check !== undefined) return 'exec'
  return document.schedule === undefined ? 'auto' : 'task'
}

/** `PORT` among its variables is another way to write `port`. */
function writtenPort(document: ServiceDocument): number | false | undefined {
  const variable = document.env?.['PORT']
  return document.port ?? (isPortNumber(variable) ? Number(variable) : undefined)
}

function isPortNumber(value: string | number | boolean | undefined): boolean {
  return typeof value !== 'boolean' && /^\d{1,5}$/.test(String(value)) && Number(value) >= 1 && Number(value) <= 65_535
}

function portOf(source: ServiceSource): number | false | undefined {
  const { port, env } = source.document
  const variable = env?.['PORT']
  if (port !== undefined && isPortNumber(variable) && port !== Number(variable)) {
    source.report(['env', 'PORT'], {
      code: 'conflict',
      message: `PORT is ${String(variable)} here, but port is ${String(port)}`,
      hint: 'Remove PORT: locald sets it to the value of port',
    })
  }
  return writtenPort(source.document)
}

function listeningOf(
  name: string,
  document: ServiceDocument,
  type: ServiceType,
  port: number | false | undefined,
): Listening {
  if (type === 'worker' || type === 'task' || type === 'site' || port === false) return 'never'
  if (type === 'container') return document.container_port === undefined ? 'never' : 'must'
  if (type !== 'auto' && document.type !== undefined) return 'must'
  const needed = typeof port === 'number' || name === 'web' || mentionsPort(document.command)
  return needed || looksAtItsPort(document) ? 'must' : 'may'
}

/** A probe of "its port", whichever that is. */
function looksAtItsPort({ health_check: check }: ServiceDocument): boolean {
  if (typeof check !== 'object' || 'command' in check) return false
  return (check.type === 'http' || check.type === 'tcp') && check.port === undefined
}

/** `PORT=3000 bin/jobs` gives the variable to a program that need not use it; any other mention is a use. */
function mentionsPort(command: Command | undefined): boolean {
  const text = typeof command === 'string' ? command : (command ?? []).join(' ')
  return /(?<![A-Za-z0-9_])PORT(?![A-Za-z0-9_=])/.test(text)
}

function envFilesOf({ document, spanOf, placeOf }: ServiceSource, root: string): readonly Placed<string>[] {
  const written = document.env_file ?? []
  if (typeof written === 'string') return [{ value: resolve(root, written), place: placeOf(spanOf(['env_file'])) }]
  return written.map((path, index) => ({ value: resolve(root, path), place: placeOf(spanOf(['env_file', index])) }))
}

function dependenciesOf({ document, spanOf, placeOf }: ServiceSource): readonly DependencyConfig[] {
  const written = document.depends_on ?? []
  if (typeof written === 'string') {
    return [{ service: written, condition: 'healthy', restartWith: false, place: placeOf(spanOf(['depends_on'])) }]
  }
  return written.map((item, index) => {
    const path = ['depends_on', index]
    if (typeof item === 'string') {
      return { service: item, condition: 'healthy', restartWith: false, place: placeOf(spanOf(path)) }
    }
    return {
      service: item.service,
      condition: item.condition ?? 'healthy',
      restartWith: item.restart_with ?? false,
      place: placeOf(spanOf([...path, 'service'])),
    }
  })
}

function containerOf(document: ServiceDocument): ContainerConfig {
  const ports = document.container_port ?? []
  return {
    image: document.image ?? '',
    ports: typeof ports === 'number' ? [ports] : ports,
    volumes: document.volumes ?? [],
    ...optional('entrypoint', document.entrypoint),
    ...optional('user', document.user),
    ...optional('workdir', document.workdir),
    ...optional('stopSignal', document.stop_signal === undefined ? undefined : parseSignal(document.stop_signal)),
  }
}

const defaultTiming = { interval: '10s', timeout: '1s', retries: 3, start_period: '0s' } as const
const commandTimeout = '5s'

function buildHealthCheck(source: ServiceSource): HealthCheck | undefined {
  const written = source.document.health_check
  if (written === undefined) return undefined
  const check = typeof written === 'string' ? { command: written } : written
  const isCommand = 'command' in check
  const timing = {
    intervalMs: parseDuration(check.interval ?? defaultTiming.interval) ?? 0,
    timeoutMs: parseDuration(check.timeout ?? (isCommand ? commandTimeout : defaultTiming.timeout)) ?? 0,
    retries: check.retries ?? defaultTiming.retries,
    startPeriodMs: parseDuration(check.start_period ?? defaultTiming.start_period) ?? 0,
  }
  if (isCommand) return { type: 'command', command: check.command, ...timing }
  switch (check.type) {
    case 'http':
      return {
        type: 'http',
        method: (check.method ?? 'GET').toUpperCase(),
        path: check.path ?? '/',
        ...optional('port', check.port),
        status: statusRanges(check.status),
        headers: check.headers ?? {},
        ...timing,
      }
    case 'tcp':
      return { type: 'tcp', ...optional('port', check.port), owner: check.owner ?? 'tree', ...timing }
    case 'log':
      return { type: 'log', pattern: check.pattern, ...timing }
    case 'notify':
      return { type: 'notify', ...timing }
    default:
      return unreachable(check)
  }
}

type HttpDocument = Extract<HealthCheckDocument, { type: 'http' }>

function statusRanges(written: HttpDocument['status']): readonly (readonly [number, number])[] {
  if (written === undefined) return [[200, 399]]
  return (Array.isArray(written) ? written : [written]).map((one) => {
    if (typeof one === 'number') return [one, one]
    if (one.endsWith('xx')) return [Number(one[0]) * 100, Number(one[0]) * 100 + 99]
    const [low, high] = one.split('-').map(Number)
    return [low ?? 0, high ?? low ?? 0]
  })
}

/** What a type has no use for; said at the key, because silence would look like support. */
const useless: Readonly<Partial<Record<ServiceType, readonly (keyof ServiceDocument)[]>>> = {
  worker: ['port', 'domains'],
  task: ['port', 'port_discovery', 'health_check', 'replicas', 'idle_timeout', 'watchdog', 'domains', 'on_unhealthy'],
  postgres: ['command', 'workdir', 'watch', 'replicas', 'tty', 'env_file'],
  redis: ['command', 'workdir', 'watch', 'replicas', 'tty', 'env_file'],
  site: [
    'command',
    'port',
    'port_discovery',
    'idle_timeout',
    'watchdog',
    'on_unhealthy',
    'watch',
    'replicas',
    'tty',
    'health_check',
  ],
}
const containerKeys = ['image', 'container_port', 'volumes', 'entrypoint', 'user'] as const
const siteKeys = ['path', 'build'] as const

function checkKeys(source: ServiceSource, type: ServiceType): void {
  const { document, name } = source
  const refuse = (key: keyof ServiceDocument, hint?: string): void => {
    if (document[key] === undefined || document[key] === false) return
    source.report([key], {
      at: 'key',
      code: 'conflict',
      message: `"${key}" has no meaning for "${name}", which is a ${type}`,
      hint,
    })
  }
  if (type !== 'task') refuse('schedule', 'It is for what runs to its end: type = "task"')
  for (const key of useless[type] ?? []) refuse(key, key === 'port' ? 'Remove it, or make the type "exec"' : undefined)
  if (type !== 'container') for (const key of containerKeys) refuse(key, 'It is for containers: type = "container"')
  if (type === 'container' && document.workdir !== undefined && !document.workdir.startsWith('/')) {
    source.report(['workdir'], {
      code: 'bad-value',
      message: `"workdir" is "${document.workdir}": that of a container is a directory inside it, from "/" on`,
      hint: 'Directories of the project are mounted by volumes = ["./…:/…"]',
    })
  }
  if (type === 'container' && typeof document.port === 'number' && document.container_port === undefined) {
    source.report(['port'], {
      code: 'conflict',
      message: `"${name}" has port ${document.port}, but no container_port that it could lead to`,
      hint: 'Add container_port: the port inside the container',
    })
  }
  if (type !== 'site') for (const key of siteKeys) refuse(key, 'It is for static sites: type = "site"')
  if (type === 'container' && document.image === undefined && source.isSound('image')) {
    source.report([], {
      at: 'key',
      code: 'missing',
      message: `The container "${name}" has no image`,
      hint: 'Add image = "…"',
    })
  }
  if (type === 'site' && document.path === undefined && source.isSound('path')) {
    source.report([], { at: 'key', code: 'missing', message: `The site "${name}" has no path`, hint: 'Add path = "…"' })
  }
  if (document.schedule !== undefined && document.start === 'on-request') {
    source.report(['start'], {
      code: 'conflict',
      message: `The task "${name}" cannot start on request: its schedule says when it runs`,
      hint: 'Remove start, or the schedule',
    })
  }
  if (type === 'task' && document.restart === 'always') {
    source.report(['restart'], {
      code: 'conflict',
      message: `The task "${name}" cannot restart always: it is done when it exits with 0`,
      hint: 'Use restart = "on-failure", or make the type "worker"',
    })
  }
  if (typeof writtenPort(document) === 'number' && (document.replicas ?? 1) > 1) {
    source.report([document.port === undefined ? 'env' : 'port'], {
      code: 'conflict',
      message: `"${name}" has ${document.replicas} replicas, which cannot share the fixed port ${String(writtenPort(document))}`,
      hint: 'Remove the port: each replica is then assigned its own',
    })
  }
  checkProbeTarget(source, type)
}

/** A probe that looks at "its port" needs one. */
function checkProbeTarget({ document, name, report }: ServiceSource, type: ServiceType): void {
  if (!looksAtItsPort(document) || (type !== 'worker' && document.port !== false)) return
  const why = type === 'worker' ? 'is a worker and has no port' : 'has port = false'
  report(['health_check'], {
    code: 'conflict',
    message: `The health_check of "${name}" has nothing to look at: the service ${why}`,
    hint: 'Add a port to the check, or use a check of type command, log or notify',
  })
}

function checkValues(source: ServiceSource): void {
  const { document, report } = source
  if (document.stop_signal !== undefined) checkSignal(document.stop_signal, (fault) => report(['stop_signal'], fault))
  checkDurations(source)
  const check = document.health_check
  if (typeof check === 'object' && check.type === 'log')
    checkPattern(check.pattern, (fault) => report(['health_check', 'pattern'], fault))
  const scheduleFault = document.schedule === undefined ? null : cronFault(document.schedule)
  if (scheduleFault !== null) {
    report(['schedule'], {
      code: 'bad-value',
      message: `"schedule" is "${document.schedule}": ${scheduleFault}`,
      hint: 'Every ten minutes is "*/10 * * * *"',
    })
  }
  for (const [index, domain] of (document.domains ?? []).entries()) {
    const fault = hostNameFault(domain, { isWildcardGood: true })
    if (fault !== undefined) report(['domains', index], fault)
  }
}

/** Also for the user's own defaults. */
function checkDurations({ document, report }: ServiceSource): void {
  const check = typeof document.health_check === 'object' ? document.health_check : undefined
  const durations: readonly (readonly [TomlPath, string | number | undefined])[] = [
    ...(['start_timeout', 'stop_timeout', 'idle_timeout', 'watchdog'] as const).map(
      (key) => [[key], document[key]] as const,
    ),
    ...(['interval', 'timeout', 'start_period'] as const).map((key) => [['health_check', key], check?.[key]] as const),
  ]
  for (const [path, written] of durations) {
    const fault = durationFault(String(path.at(-1)), written)
    if (fault !== null) report(path, fault)
  }
}

export function checkSignal(written: string, report: (fault: Fault) => void): void {
  if (parseSignal(written) !== undefined) return
  const name = written.trim().toUpperCase()
  const near = nearestName(name.startsWith('SIG') ? name : `SIG${name}`, signalNames)
  report({
    code: 'bad-value',
    message: `There is no signal "${written}"`,
    hint: near === undefined ? 'Usual are SIGTERM, SIGINT, SIGQUIT, SIGHUP' : `Did you mean "${near}"?`,
  })
}

function checkPattern(pattern: string, report: (fault: Fault) => void): void {
  try {
    RegExp(pattern, 'u')
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*: /, '') : String(error)
    report({ code: 'bad-value', message: `The pattern is not a regular expression: ${reason}` })
  }
}

/** Needed to run anything; told apart because a Procfile may still supply it. */
export function needsCommand(document: ServiceDocument): boolean {
  const type = typeOf(document)
  return document.command === undefined && (type === 'auto' || type === 'exec' || type === 'worker' || type === 'task')
}
