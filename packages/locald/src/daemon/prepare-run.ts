// Gathers, at the last moment, everything a run is spawned with: env files are read again at every start.
import { LocaldError } from '@locald/protocol'
import type { LogsConfig } from '../config/config.ts'
import type { LogTarget, NotifyOrder } from '../keeper/protocol.ts'
import { describeHolder, holderOf } from '../lib/port-holder.ts'
import { dependencyDepth } from '../plan/dependency-depth.ts'
import { environmentFor } from '../plan/environment.ts'
import { instanceKey } from '../plan/instance-key.ts'
import { launchOf } from '../plan/launch.ts'
import { planFor } from '../plan/plan-for.ts'
import type { OwnAddresses } from './own-addresses.ts'
import type { Environment, Plan, ServicePlan } from '../plan/plan.ts'
import { readEnvLayers } from '../plan/read-env-layers.ts'
import { missingDirectory, siteArgv } from './site-build.ts'
import { serviceArgv } from '../plan/service-argv.ts'
import type { Run } from '../supervisor/instance.ts'
import type { Place } from '../supervisor/place.ts'
import type { PreparedCheck, Prepared } from '../supervisor/supervisor-dependencies.ts'
import { tagOf } from './adoption.ts'
import { containerOrder } from './prepare-container.ts'
import { defaultTerminalSize } from './terminal-size.ts'
import type { Shells } from './shells.ts'

export interface Preparation {
  readonly shells: Shells
  /** Ports on which anybody listens now. */
  readonly listeningPorts: () => Promise<ReadonlySet<number>>
  /** Ports of every other project. */
  readonly reservedPorts: (project: string) => ReadonlySet<number>
  /** Tells the containers of this locald from those of another. */
  readonly installation: string
  /** Where a run's notify socket is to be; null when the keeper is too old to hear it. */
  readonly notifyAddress: (run: string) => string | null
  /** The same for a container, into which it is mounted; null where that cannot be. */
  readonly containerNotifyPath: (run: string) => string | null
  /** What locald tells a service about itself and its names. */
  readonly addresses: (plan: Plan, service: ServicePlan) => Promise<OwnAddresses>
  /** What may be kept of all logs together. */
  readonly logBytes: () => number
}

/** For what is ended without a daemon, whatever it may take when it is stopped. */
const longestRecoveryMs = 30_000

/** `siblings` is the plan with the ports at which the others were found. */
export async function prepareRun(
  place: Place,
  run: Run,
  { siblings, ...preparation }: Preparation & { readonly siblings: Plan },
): Promise<Prepared> {
  const { service, instance, project } = place
  const [layers, port] = await Promise.all([readLayers(place), portFor(place, preparation)])
  if (!layers.ok) return layers
  if (typeof port === 'string') return { ok: false, reason: port }
  const plan = port === instance.port ? siblings : withPort(siblings, service.name, instance.instance, port)
  const address = service.config.container === undefined ? preparation.notifyAddress(run.id) : null
  const seen = { ...place, project: { ...project, plan } }
  const own = {
    ...(await preparation.addresses(plan, service)),
    ...(address === null ? {} : { notifySocket: address }),
  }
  const environment = await environmentOf(seen, layers.layers, preparation.shells, own)
  const { command, healthCheck } = launchOf(plan, service, environment, own.caBundle)
  const env = variablesOf(environment)
  const check = { env: withoutNotify(env), ...(healthCheck === undefined ? {} : { check: healthCheck }) }
  const log: LogTarget = {
    ...logTarget(plan.id, instanceKey(service.name, instance.instance), run.number, plan.config.logs),
    totalBytes: preparation.logBytes(),
  }
  const { container } = service.config
  if (container !== undefined) {
    const shell = await preparation.shells.of(plan.id)
    const { installation } = preparation
    const test = healthCheck?.type === 'command' ? healthCheck : undefined
    try {
      const order = await containerOrder(seen, container, run, {
        installation,
        shell,
        env,
        command,
        check: test,
        port,
        log,
        notifyPath: preparation.containerNotifyPath(run.id),
      })
      return { ok: true, port, check, order }
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) }
    }
  }
  const { site } = service.config
  if (site !== undefined && command === undefined) {
    const missing = await missingDirectory(site.path)
    return missing === null ? { ok: true, port, check, order: null } : { ok: false, reason: missing }
  }
  if (command === undefined) return { ok: false, reason: 'it has no command' }
  return {
    ok: true,
    port,
    check,
    order: {
      run: run.id,
      tag: { ...tagOf(plan, service, instance, run, port) },
      argv: site === undefined ? serviceArgv(command, service.config) : siteArgv(command, site.path),
      cwd: service.config.workdir,
      env,
      tty: service.config.tty ? defaultTerminalSize : null,
      ...(address === null ? {} : { notify: notifyOrder(address, service.config.watchdogMs) }),
      log,
      recovery: {
        signal: service.config.stopSignal,
        scope: service.config.stopScope,
        // Somebody waits for the stack to come back.
        timeoutMs: Math.min(service.config.stopTimeoutMs ?? longestRecoveryMs, longestRecoveryMs),
        order: { of: plan.id, depth: dependencyDepth(plan, service.name) },
      },
    },
  }
}

/** For a run that is there already: its check with its references replaced. Rejects when an env file cannot be read. */
export async function prepareCheck(
  place: Place,
  siblings: Plan,
  { shells, addresses }: Pick<Preparation, 'shells' | 'addresses'>,
): Promise<PreparedCheck> {
  const { service, project } = place
  const layers = await readEnvLayers(siblings.config, [service.config])
  const own = await addresses(siblings, service)
  const environment = await environmentOf({ ...place, project: { ...project, plan: siblings } }, layers, shells, own)
  const { healthCheck } = launchOf(siblings, service, environment, own.caBundle)
  return { env: variablesOf(environment), ...(healthCheck === undefined ? {} : { check: healthCheck }) }
}

/** The log stream of an instance. */
export function logTarget(project: string, key: string, run: number, logs: LogsConfig): LogTarget {
  return { stream: `${project}/${key}`, run, segmentBytes: logs.segmentBytes, segments: logs.segments }
}

type Layers = Awaited<ReturnType<typeof readEnvLayers>>

async function readLayers(
  place: Place,
): Promise<{ readonly ok: true; readonly layers: Layers } | { readonly ok: false; readonly reason: string }> {
  try {
    return { ok: true, layers: await readEnvLayers(place.project.plan.config, [place.service.config]) }
  } catch (error) {
    // The user's file, found unreadable when it was needed: a reason for this service not to start.
    if (error instanceof LocaldError) return { ok: false, reason: error.message }
    throw error
  }
}

/** The port to run with, or why there is none: an assigned one moves away from whoever took it meanwhile. */
async function portFor(place: Place, preparation: Preparation): Promise<number | null | string> {
  const { service, instance, project } = place
  const { port } = instance
  if (port === null) return null
  const listening = await preparation.listeningPorts()
  if (!listening.has(port)) return port
  if (typeof service.config.port === 'number') {
    const holder = await holderOf(port)
    return holder === null ? port : `port ${port} is held by ${describeHolder(holder)}`
  }
  const taken = new Set([...listening, ...preparation.reservedPorts(project.plan.id)])
  const ours = project.plan.services.flatMap((s) => s.instances)
  const kept = new Map(
    ours.flatMap((i) => (i.port === null || i.port === port ? [] : [[instanceKey(i.service, i.instance), i.port]])),
  )
  const moved = planFor(project.plan.config, { keptPorts: kept, reserved: taken, flags: project.flags })
  const found = moved.ok ? moved.plan.services.find((s) => s.name === service.name) : undefined
  return (
    found?.instances.find((i) => i.instance === instance.instance)?.port ??
    `port ${port} is taken, and no other is free`
  )
}

function withPort(plan: Plan, name: string, number: number, port: number | null): Plan {
  return {
    ...plan,
    services: plan.services.map((service) =>
      service.name === name
        ? { ...service, instances: service.instances.map((i) => (i.instance === number ? { ...i, port } : i)) }
        : service,
    ),
  }
}

async function environmentOf(
  { project, instance }: Place,
  layers: Layers,
  shells: Shells,
  own: OwnAddresses & { readonly notifySocket?: string },
): Promise<Environment> {
  const shell = await shells.of(project.plan.id)
  return environmentFor(project.plan, instance, { layers, shell, flags: project.flags, ...own }).variables
}

function notifyOrder(address: string, watchdogMs: number | undefined): NotifyOrder {
  return watchdogMs === undefined ? { address } : { address, watchdogMs }
}

/** A check does not speak for the service. */
function withoutNotify(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { NOTIFY_SOCKET: _socket, WATCHDOG_USEC: _watchdog, ...rest } = env
  return rest
}

function variablesOf(environment: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(environment.map(({ name, value }) => [name, value]))
}
