// Gathers what a service is created with as a container.
import { engineAddress, isRemote } from '../container/engine-address.ts'
import type { ContainerOrder, HealthTest, PublishedPort } from '../container/container-order.ts'
import type { Command, CommandCheck, ContainerConfig } from '../config/config.ts'
import { shellWords } from '../lib/shell-words.ts'
import type { InstancePlan } from '../plan/plan.ts'
import type { Run } from '../supervisor/instance.ts'
import type { Place } from '../supervisor/place.ts'
import { tagOf } from './adoption.ts'

export interface ContainerPreparation {
  readonly installation: string
  /** Of the project: which engine is meant, and where credentials are. */
  readonly shell: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  /** Its references replaced. */
  readonly command: Command | undefined
  readonly check: CommandCheck | undefined
  readonly port: number | null
  readonly log: ContainerOrder['log']
  /** A path for its notify socket; null: none. */
  readonly notifyPath: string | null
}

/** Rejects with what a user has to know: a context of docker's that does not exist. */
export async function containerOrder(
  { service, instance, project: { plan } }: Place,
  config: ContainerConfig,
  run: Run,
  preparation: ContainerPreparation,
): Promise<ContainerOrder> {
  const { installation, shell, env, command, check, port, log, notifyPath } = preparation
  const engine = await engineAddress(shell)
  const { watchdogMs } = service.config
  // A socket of this machine means nothing to an engine of another.
  const isHeard = notifyPath !== null && !isRemote(engine)
  return {
    run: run.id,
    installation,
    project: { id: plan.id, name: plan.name },
    service: service.name,
    instance: instance.instance,
    hash: run.hash,
    tag: { ...tagOf(plan, service, instance, run, port) },
    engine,
    shell,
    root: plan.root,
    image: config.image,
    ...(command === undefined ? {} : { command: containerArgv(command) }),
    ...(config.entrypoint === undefined ? {} : { entrypoint: containerArgv(config.entrypoint) }),
    ...(config.user === undefined ? {} : { user: config.user }),
    ...(config.workdir === undefined ? {} : { workdir: config.workdir }),
    env,
    ports: publishedPorts(config, { ...instance, port }),
    volumes: config.volumes,
    tty: service.config.tty,
    ...(check === undefined ? {} : { healthTest: healthTest(check) }),
    ...(isHeard ? { notify: { address: notifyPath, ...(watchdogMs === undefined ? {} : { watchdogMs }) } } : {}),
    log,
  }
}

/** The image's own shell is asked only where a shell is needed: images may have none. */
export function containerArgv(command: Command): readonly string[] {
  return typeof command === 'string' ? (shellWords(command) ?? ['/bin/sh', '-c', command]) : command
}

/** The instance's port leads to the first, the further ones to the others. */
export function publishedPorts(
  { ports }: ContainerConfig,
  { port, morePorts = [] }: InstancePlan,
): readonly PublishedPort[] {
  if (port === null) return []
  const hosts = [port, ...morePorts]
  return ports.flatMap((container, index) => {
    const host = hosts[index]
    return host === undefined ? [] : [{ container, host }]
  })
}

export function healthTest({ command, intervalMs, timeoutMs, retries, startPeriodMs }: CommandCheck): HealthTest {
  const test = typeof command === 'string' ? ['CMD-SHELL', command] : ['CMD', ...command]
  return { test, intervalMs, timeoutMs, retries, startPeriodMs }
}
