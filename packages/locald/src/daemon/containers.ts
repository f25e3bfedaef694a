// Wires containers to the rest: output to the keeper, facts to the supervisor, probes to health, reach to the plan.
import { join } from 'node:path'
import type { HealthSource } from '@locald/protocol'
import type { OutputRecorder } from '../container/container-log.ts'
import type { ContainerProbe, ContainerProbeSpec } from '../container/container-probe.ts'
import { DockerRunner } from '../container/docker-runner.ts'
import { startCheckMonitor } from '../health/check-monitor.ts'
import type { HealthDependencies, HealthMonitor, HealthReport } from '../health/monitor.ts'
import { startMonitor } from '../health/start-monitor.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import { makeContainerNotifyFolder, removeContainerNotifyFolder } from '../keeper/notify-address.ts'
import { listListeners } from '../lib/listening-sockets.ts'
import type { Logger } from '../lib/logger.ts'
import { runTail } from '../logs/run-tail.ts'
import { instanceKey } from '../plan/instance-key.ts'
import { runOf } from '../supervisor/instance.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import type { Place } from '../supervisor/place.ts'
import type { ContainerSubject } from '../supervisor/supervisor-dependencies.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { KnownEngines } from './known-engines.ts'
import { healthTest, publishedPorts } from './prepare-container.ts'

export interface ContainerParts {
  readonly installation: string
  /** Directory of all logs. */
  readonly logs: string
  /** Directory of sockets. */
  readonly runtime: string
  readonly keeper: KeeperLink
  readonly state: SupervisorState
  readonly logger: Logger
  readonly engines: KnownEngines
  readonly supervisor: () => Supervisor
}

export function createContainers({
  installation,
  logs,
  runtime,
  keeper,
  state,
  logger,
  engines,
  supervisor,
}: ContainerParts): DockerRunner {
  const recorder: OutputRecorder = {
    output: async (log, chunks) => {
      const timed = chunks.map(({ stream, at, bytes }) => ({ stream, at, output: bytes.toString('base64') }))
      await keeper.request('append', { log, chunks: timed })
    },
    record: async (log, at, record) => {
      await keeper.request('append', { log, record, at })
    },
    recorded: async ({ stream, run }) => await runTail(join(logs, stream), run),
  }
  return new DockerRunner({
    installation,
    recorder,
    logger,
    onFact: (fact) => supervisor().containerFact(fact),
    onProgress: (run, message) => supervisor().containerProgress(run, message),
    onUsed: (engine) => engines.add(engine),
    knownRuns: () => knownRuns(state),
    reachable: (run) => reachablePorts(state, run),
    listListeners,
    notify: {
      open: async (run, notify, isUp) => {
        makeContainerNotifyFolder(notify.address)
        await keeper.request('notify', { run, open: notify })
        if (isUp && notify.watchdogMs !== undefined) await keeper.request('watchdog', { run })
      },
      identify: async (run, container) => void (await keeper.request('notify', { run, container })),
      ending: (run) => {
        const order = { run, signal: 'SIGTERM', scope: 'group', timeoutMs: null } as const
        keeper.request('end', order).catch((error: unknown) => {
          logger.log('debug', 'Cannot stop a watchdog', { run, error }) // the keeper is gone
        })
      },
      close: (run) => {
        keeper
          .request('notify', { run, close: true })
          .then(() => removeContainerNotifyFolder(run, runtime))
          .catch((error: unknown) => {
            // A keeper of an older version, which has no sockets for containers, or one that is gone.
            logger.log('debug', 'Cannot close a notify socket', { run, error })
          })
      },
    },
  })
}

function knownRuns(state: SupervisorState): ReadonlySet<string> {
  const instances = [...state.projects.values()].flatMap((project) => [...project.instances.values()])
  return new Set(instances.flatMap((instance) => runOf(instance)?.id ?? []))
}

/** Ports of the services that the service of a run depends on, as long as these run. */
function reachablePorts(state: SupervisorState, id: string): readonly number[] {
  for (const { planned, instances } of state.projects.values()) {
    for (const service of [...planned.plan.services, ...planned.leaving]) {
      const isOwn = service.instances.some((i) => {
        const instance = instances.get(instanceKey(service.name, i.instance))
        return instance !== undefined && runOf(instance)?.id === id
      })
      if (!isOwn) continue
      const wanted = new Set(service.dependsOn.map((dependency) => dependency.service))
      return planned.plan.services
        .filter(({ name }) => wanted.has(name))
        .flatMap((sibling) =>
          sibling.instances.flatMap((i) => {
            const instance = instances.get(instanceKey(sibling.name, i.instance))
            const isUp = instance?.state.id === 'running' || instance?.state.id === 'starting'
            if (!isUp) return []
            return [
              ...new Set([...(i.port === null ? [] : [i.port, ...(i.morePorts ?? [])]), ...instance.memory.ports]),
            ]
          }),
        )
    }
  }
  return []
}

/** HTTP and log checks look from outside, as at any service; everything else has to look inside. */
export function startContainerMonitor(
  runner: DockerRunner,
  { run, startedAt, check, wasHealthy, wasNotified }: ContainerSubject,
  { service, instance }: Place,
  report: (report: HealthReport) => void,
  dependencies: HealthDependencies,
): HealthMonitor {
  const published = service.config.container === undefined ? [] : publishedPorts(service.config.container, instance)
  const ports = published.map(({ host }) => host)
  if (check?.type === 'http' || check?.type === 'log') {
    const written = check.type === 'http' ? check.port : undefined
    const port = published.find(({ container }) => container === written)?.host ?? written ?? ports[0]
    const outside = {
      run,
      identity: { pid: 0, startTime: 0, marker: `container:${run}`, lockLimit: null },
      startedAt,
      port: null,
      listening: 'never',
      portDiscovery: 'off',
      check: check.type === 'http' && port !== undefined ? { ...check, port } : check,
      env: {},
      cwd: '/',
      wasHealthy,
      wasNotified,
    } as const
    const withPorts = (news: HealthReport): void => report(news.type === 'healthy' ? { ...news, ports } : news)
    return startMonitor(outside, withPorts, dependencies)
  }
  const known = { run, startedAt, ports: published, wasHealthy }
  const spec: ContainerProbeSpec =
    check === undefined
      ? known
      : { ...known, check: check.type === 'command' ? { type: 'test', test: healthTest(check) } : check }
  const source: HealthSource = check?.type === 'tcp' || check?.type === 'notify' ? check.type : 'docker'
  const bring = async (): Promise<ContainerProbe> => await runner.probe(spec)
  return startCheckMonitor({ startedAt, ports, wasHealthy, wasNotified }, source, bring, report)
}
