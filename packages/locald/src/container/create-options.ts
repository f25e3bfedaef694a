// From an order to what the engine is asked to create. Pure, but for the directories of volumes.
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { ContainerCreateOptions, HostConfig } from 'dockerode'
import type { ContainerOrder, HealthTest } from './container-order.ts'

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

/** Where a container finds its notify socket. */
const notifyPath = '/run/locald/notify.sock'

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
        ...(order.notify === undefined ? [] : [`${order.notify.address}:${notifyPath}`]),
      ],
      ExtraHosts: hostNames.map((name) => `${name}:${gateway}`),
      LogConfig: logConfig,
    } satisfies HostConfig,
    Volumes: Object.fromEntries(order.volumes.filter((volume) => !volume.includes(':')).map((path) => [path, {}])),
  }
}

function notifyVariables({ notify }: ContainerOrder): Readonly<Record<string, string>> {
  if (notify === undefined) return {}
  const { watchdogMs } = notify
  return {
    NOTIFY_SOCKET: notifyPath,
    ...(watchdogMs === undefined ? {} : { WATCHDOG_USEC: String(watchdogMs * 1000) }),
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
