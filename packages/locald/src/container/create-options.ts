// From an order to what the engine is asked to create. Pure, but for the directories of volumes.
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { ContainerCreateOptions, ContainerInspectInfo, HostConfig } from 'dockerode'
import { microseconds } from '../lib/microseconds.ts'
import type { ContainerNotify, ContainerOrder, HealthTest } from './container-order.ts'

/** By these a container is recognised, whoever looks at it. */
export const labels = {
  installation: 'locald.installation',
  project: 'locald.project',
  service: 'locald.service',
  instance: 'locald.instance',
  run: 'locald.run',
  hash: 'locald.hash',
  tag: 'locald.tag',
} as const

/**
 * The engine keeps output until locald has recorded it, and so must not drop any of it; but it must not fill the disk either.
 * Who follows a log that is written quickly can miss what comes around the end of a file: they are long. The driver `local`
 * keeps every byte, `json-file` replaces what is not UTF-8.
 */
const logConfig = { Type: 'local', Config: { 'max-size': '512m', 'max-file': '2', compress: 'false' } }

/** Where a container finds the folder of its notify socket. */
const notifyFolder = '/run/locald'
/** The folder and not the socket, so that it can be another one some day; nobody inside can put anything there. */
const notifyMount = `:${notifyFolder}:ro`

/** Host names under which a container reaches this machine. */
const hostNames = ['host.docker.internal']

/** `locald-<project>-<service>-<id>`; further instances have their number behind the service. */
export function containerName({
  project,
  service,
  instance,
}: Pick<ContainerOrder, 'project' | 'service' | 'instance'>): string {
  const label = instance === 1 ? service : `${service}.${instance}`
  return `locald-${plain(project.name)}-${plain(label)}-${project.id.slice(0, 6)}`
}

/** Names of containers have letters, digits and `_.-`. */
function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.-]+/g, '_')
}

export function createOptions(order: ContainerOrder, gateway: string): ContainerCreateOptions {
  const { env, ports, command, entrypoint, user, workdir, healthTest, tty } = order
  const key = (port: number): string => `${port}/tcp`
  return {
    Image: order.image,
    Env: Object.entries({ ...env, ...notifyVariables(order) }).map(([name, value]) => `${name}=${value}`),
    ...(command === undefined ? {} : { Cmd: [...command] }),
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    ...(user === undefined ? {} : { User: user }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(healthTest === undefined ? {} : { Healthcheck: engineHealthTest(healthTest) }),
    Tty: tty,
    OpenStdin: tty,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: Object.fromEntries(ports.map(({ container }) => [key(container), {}])),
    Labels: {
      [labels.installation]: order.installation,
      [labels.project]: order.project.id,
      [labels.service]: order.service,
      [labels.instance]: String(order.instance),
      [labels.run]: order.run,
      [labels.hash]: order.hash,
      [labels.tag]: JSON.stringify(order.tag),
    },
    HostConfig: {
      PortBindings: Object.fromEntries(
        ports.map(({ container, host }) => [key(container), [{ HostIp: '127.0.0.1', HostPort: String(host) }]]),
      ),
      Binds: [
        ...order.volumes.map((volume) => bindOf(volume, order)).filter((bind) => bind.includes(':')),
        ...(order.notify === undefined ? [] : [`${dirname(order.notify.address)}${notifyMount}`]),
      ],
      ExtraHosts: hostNames.map((name) => `${name}:${gateway}`),
      LogConfig: logConfig,
    } satisfies HostConfig,
    Volumes: Object.fromEntries(order.volumes.filter((volume) => !volume.includes(':')).map((path) => [path, {}])),
  }
}

function notifyVariables({ notify }: ContainerOrder): Readonly<Record<string, string>> {
  if (notify === undefined) return {}
  const { address, watchdogMs } = notify
  return {
    NOTIFY_SOCKET: `${notifyFolder}/${basename(address)}`,
    ...(watchdogMs === undefined ? {} : { WATCHDOG_USEC: String(watchdogMs * 1000) }),
  }
}

/** Where a container that was created here is heard; null: nowhere, or by a socket that can be bound but once. */
export function notifyOf({
  Config,
  HostConfig,
}: Pick<ContainerInspectInfo, 'Config' | 'HostConfig'>): ContainerNotify | null {
  const bind = HostConfig.Binds?.find((each) => each.endsWith(notifyMount))
  const variables = new Map((Config.Env ?? []).map((entry) => [entry.split('=', 1)[0], entry.replace(/^[^=]*=/, '')]))
  const socket = variables.get('NOTIFY_SOCKET')
  if (bind === undefined || socket === undefined) return null
  const watchdogMs = microseconds(variables.get('WATCHDOG_USEC'))
  return {
    address: join(bind.slice(0, -notifyMount.length), basename(socket)),
    ...(watchdogMs === null ? {} : { watchdogMs }),
  }
}

/** The same without the log driver, for engines that do not know it. */
export function withoutLogDriver(options: ContainerCreateOptions): ContainerCreateOptions {
  const { LogConfig: _left, ...host } = options.HostConfig ?? {}
  return { ...options, HostConfig: host }
}

/** Durations of the engine are nanoseconds. */
function engineHealthTest({
  test,
  intervalMs,
  timeoutMs,
  retries,
  startPeriodMs,
}: HealthTest): NonNullable<ContainerCreateOptions['Healthcheck']> {
  const nanoseconds = (ms: number): number => Math.max(1_000_000, Math.round(ms * 1e6))
  return {
    Test: [...test],
    Interval: nanoseconds(intervalMs),
    Timeout: nanoseconds(timeoutMs),
    Retries: retries,
    StartPeriod: startPeriodMs === 0 ? 0 : nanoseconds(startPeriodMs),
  }
}

/** What a volume binds: an absolute path of this machine, or a volume of the engine that belongs to the project. */
function bindOf(volume: string, { root, project }: Pick<ContainerOrder, 'root' | 'project'>): string {
  const [source = '', ...rest] = volume.split(':')
  const path = hostPath(source, root)
  const from = path ?? `locald-${plain(project.name)}-${plain(source)}-${project.id.slice(0, 6)}`
  return [from, ...rest].join(':')
}

/** A name without a slash is a volume of the engine; null then. */
function hostPath(source: string, root: string): string | null {
  if (source === '~' || source.startsWith('~/')) return join(homedir(), source.slice(1))
  if (isAbsolute(source)) return source
  return source.startsWith('.') || source.includes('/') ? resolve(root, source) : null
}

/** Makes the directories that volumes name and that are not there: the engine would make them as root. */
export async function makeVolumeDirectories({
  volumes,
  root,
}: Pick<ContainerOrder, 'volumes' | 'root'>): Promise<void> {
  for (const volume of volumes) {
    if (!volume.includes(':')) continue
    const path = hostPath(volume.split(':')[0] ?? '', root)
    if (path !== null && !existsSync(path)) await mkdir(path, { recursive: true })
  }
}
