// Runs services as containers: the one object of this folder that lives as long as the daemon. Nothing is loaded and nobody
// is asked before the first container is wanted.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerInfo, ContainerInspectInfo } from 'dockerode'
import type { Logger } from '../lib/logger.ts'
import type { Listener } from '../lib/listener.ts'
import type { OutputRecorder } from './container-log.ts'
import type {
  ContainerEndOrder,
  ContainerFact,
  ContainerNotify,
  ContainerOrder,
  ContainerRunner,
  ContainerSpawnResult,
  EngineAddress,
  FoundContainer,
  KnownRun,
  OutputTarget,
} from './container-order.ts'
import type { ContainerProbe, ContainerProbeSpec } from './container-probe.ts'
import { ContainerRun } from './container-run.ts'
import type { ContainerTerminal } from './container-terminal.ts'
import { labels } from './create-options.ts'
import { describeEngineError, statusOf } from './engine.ts'
import type { Engine } from './engine.ts'
import { isRemote } from './engine-address.ts'
import { EngineConnection } from './engine-connection.ts'
import type { EngineListener } from './engine-connection.ts'
import { HostGateway } from './host-gateway.ts'
import { ownPid } from './inner-listeners.ts'
import { parseEngineTime } from './log-messages.ts'
import { probeFor } from './probe-for.ts'

export interface DockerRunnerOptions {
  readonly installation: string
  readonly recorder: OutputRecorder
  readonly logger: Logger
  /** Called for each fact of a run in order; never before `spawn` has returned. */
  readonly onFact: (fact: ContainerFact) => void
  /** What a run that is being prepared is waiting for. */
  readonly onProgress: (run: string, message: string) => void
  /** An engine runs something: what is left there after a crash is looked for there. */
  readonly onUsed: (engine: EngineAddress) => void
  /** Every run that is in the journal: what an engine holds of this installation besides is left from a crash. */
  readonly knownRuns: () => ReadonlySet<string>
  /** Ports of this machine that the container of a run may reach now. */
  readonly reachable: (run: string) => readonly number[]
  readonly listListeners: () => Promise<readonly Listener[]>
  readonly notify: NotifyKeeper
}

/** Who holds the notify sockets of containers. */
export interface NotifyKeeper {
  /** Unless it is open. `isUp`: signs of life are expected from now on. */
  readonly open: (run: string, notify: ContainerNotify, isUp: boolean) => Promise<void>
  /** The id that its container has, before it is started and heard. */
  readonly identify: (run: string, container: string) => Promise<void>
  /** It is being ended: no sign of life is expected of it any more. */
  readonly ending: (run: string) => void
  readonly close: (run: string) => void
}

/** For engines to tell what they run, at the start of a daemon. */
const patienceMs = 2000

interface Attended {
  readonly container: ContainerRun
  readonly listener: EngineListener
  /** Facts that came while it was being spawned. */
  held: ContainerFact[] | null
}

export class DockerRunner implements ContainerRunner, Disposable {
  readonly #options: DockerRunnerOptions
  readonly #connections = new Map<string, Promise<EngineConnection>>()
  readonly #runs = new Map<string, Attended>()
  /** Not spawned or taken over yet, with the end that was ordered meanwhile. */
  readonly #preparing = new Map<string, { end: ContainerEndOrder | null }>()
  /** Who waits until a run is known here. */
  readonly #awaited = new Map<string, () => void>()
  readonly #gateway: HostGateway
  readonly #terminalListeners = new Set<() => void>()
  /** What runs at engines that have not told it yet. */
  readonly #unheard = new Map<string, Promise<readonly FoundContainer[]>>()
  #isSweeping = false

  constructor(options: DockerRunnerOptions) {
    this.#options = options
    this.#gateway = new HostGateway(options)
  }

  async spawn(order: ContainerOrder): Promise<ContainerSpawnResult> {
    const preparing: { end: ContainerEndOrder | null } = { end: null }
    this.#preparing.set(order.run, preparing)
    try {
      return await this.#spawn(order, preparing)
    } finally {
      this.#preparing.delete(order.run)
    }
  }

  async #spawn(
    order: ContainerOrder,
    preparing: { readonly end: ContainerEndOrder | null },
  ): Promise<ContainerSpawnResult> {
    const refusal = whyNotThere(order)
    if (refusal !== null) return { ok: false, message: refusal }
    let attended: Attended
    try {
      const connection = await this.#connect(order.engine)
      attended = this.#attend(order.run, order.log, connection)
      await connection.listen(attended.listener)
      this.#options.onUsed(order.engine)
    } catch (error) {
      this.#forget(order.run)
      return { ok: false, message: describeEngineError(error, order.engine) }
    }
    if (preparing.end !== null) {
      this.#forget(order.run)
      return { ok: false, message: 'stopped' }
    }
    attended.held = []
    const result = await attended.container.spawn(order)
    if (!result.ok) this.#forget(order.run)
    // Whoever asked hears first that it was started.
    setImmediate(() => {
      const held = attended.held ?? []
      attended.held = null
      for (const fact of held) this.#tell(fact)
    })
    return result
  }

  end(order: ContainerEndOrder): boolean {
    const preparing = this.#preparing.get(order.run)
    if (preparing !== undefined) preparing.end = order
    const attended = this.#runs.get(order.run)
    attended?.container.end(order)
    const isKnown = attended !== undefined || preparing !== undefined
    if (isKnown) this.#options.notify.ending(order.run)
    return isKnown
  }

  extendEnd(run: string, ms: number): void {
    this.#runs.get(run)?.container.extendEnd(ms)
  }

  adopt(known: KnownRun): void {
    const preparing: { end: ContainerEndOrder | null } = { end: null }
    this.#preparing.set(known.run, preparing)
    const work = async (): Promise<void> => {
      const connection = await this.#connect(known.container.engine)
      const attended = this.#attend(known.run, known.log, connection)
      this.#preparing.delete(known.run)
      connection.listenPatiently(attended.listener)
      await attended.container.adopt(known)
      if (preparing.end !== null) attended.container.end(preparing.end)
    }
    work().catch((error: unknown) => {
      this.#options.logger.log('error', 'Cannot take over a container', { run: known.run, error })
    })
  }

  /**
   * What runs at these engines. Of an engine that does not answer soon nothing is known for now, and nothing is removed there before
   * `sweep` has told of it.
   */
  async found(engines: readonly EngineAddress[]): Promise<readonly FoundContainer[]> {
    const known = engines.map(async (address) => {
      const running = this.#runningAt(address)
      this.#unheard.set(keyOf(address), running)
      const patience = sleep(patienceMs, null, { ref: false })
      const heard = await Promise.race([running, patience]).catch(() => null)
      if (heard !== null) this.#unheard.delete(keyOf(address))
      return heard ?? []
    })
    return (await Promise.all(known)).flat()
  }

  async #runningAt(address: EngineAddress): Promise<readonly FoundContainer[]> {
    const { engine } = await this.#connect(address)
    const inspected = (await this.#ownContainers(engine, false)).map(async ({ Id }) => {
      const info = await engine.getContainer(Id).inspect().catch(unlessGone)
      return info === null ? [] : [await foundContainer(info, address)]
    })
    return (await Promise.all(inspected)).flat()
  }

  /**
   * From now on what no run owns is removed, at these engines and at every other that is used. `adopt` hears first of what `found` did
   * not hear of in time; at an engine that never told nothing is removed.
   */
  sweep(engines: readonly EngineAddress[], adopt: (late: readonly FoundContainer[]) => Promise<void>): void {
    this.#isSweeping = true
    for (const address of engines) {
      this.#sweepAt(address, adopt).catch((error: unknown) => {
        this.#options.logger.log('warn', 'Cannot look for containers that are left', { address, error })
      })
    }
  }

  async #sweepAt(address: EngineAddress, adopt: (late: readonly FoundContainer[]) => Promise<void>): Promise<void> {
    const late = this.#unheard.get(keyOf(address))
    if (late !== undefined) {
      await adopt(await late)
      this.#unheard.delete(keyOf(address))
    }
    await this.#sweep(await this.#connect(address))
  }

  /** How its health is found out. Rejects when the engine does not answer. */
  async probe(spec: ContainerProbeSpec): Promise<ContainerProbe> {
    if (!this.#runs.has(spec.run)) await new Promise<void>((resolve) => this.#awaited.set(spec.run, resolve))
    const attended = this.#runs.get(spec.run)
    if (attended === undefined) throw new Error(`There is no container of run ${spec.run}`)
    return await probeFor(attended.container, spec)
  }

  /** Null: that run has no terminal, or none yet. */
  terminal(run: string): ContainerTerminal | null {
    return this.#runs.get(run)?.container.terminal ?? null
  }

  /** Calls back when some run has got its terminal. */
  onTerminal(listener: () => void): Disposable {
    this.#terminalListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#terminalListeners.delete(listener) }
  }

  /** What containers may reach has changed, or where it listens. */
  refreshReach(): void {
    this.#gateway.refresh()
  }

  [Symbol.dispose](): void {
    this.#gateway[Symbol.dispose]()
    for (const { container } of this.#runs.values()) container.abandon()
    this.#runs.clear()
    for (const connection of this.#connections.values()) {
      void connection.then((open) => open[Symbol.dispose]()).catch(() => undefined)
    }
  }

  #connect(address: EngineAddress): Promise<EngineConnection> {
    const key = keyOf(address)
    const open = this.#connections.get(key)
    if (open !== undefined) return open
    const { installation, logger } = this.#options
    const opening = EngineConnection.open(address, installation, logger)
    this.#connections.set(key, opening)
    opening.then(
      (connection) => {
        if (this.#isSweeping) void this.#sweep(connection)
      },
      () => this.#connections.delete(key), // certificates that cannot be read may be mended
    )
    return opening
  }

  async #sweep({ engine, address }: EngineConnection): Promise<void> {
    const { logger, knownRuns } = this.#options
    if (this.#unheard.has(keyOf(address))) return
    try {
      const found = await this.#ownContainers(engine, true)
      const known = knownRuns()
      for (const { Id, Names, Labels } of found) {
        const run = Labels[labels.run] ?? ''
        if (known.has(run) || this.#runs.has(run) || this.#preparing.has(run)) continue
        logger.log('warn', 'Removing a container that no run owns', { container: Names[0] })
        await engine.getContainer(Id).remove({ force: true, v: true })
        this.#options.notify.close(run)
      }
    } catch (error) {
      // Without an engine there is nothing to remove; whoever wanted it hears of it.
      if (statusOf(error) !== 404) logger.log('warn', 'Cannot look for containers that are left', { address, error })
    }
  }

  async #ownContainers(engine: Engine, all: boolean): Promise<readonly ContainerInfo[]> {
    return await engine.listContainers({
      all,
      filters: { label: [`${labels.installation}=${this.#options.installation}`] },
    })
  }

  #attend(run: string, log: OutputTarget, connection: EngineConnection): Attended {
    const container = new ContainerRun(run, log, connection, {
      recorder: this.#options.recorder,
      logger: this.#options.logger,
      fact: (fact) => this.#onFact(fact),
      progress: (message) => this.#options.onProgress(run, message),
      expected: (gateway) => this.#gateway.expect(run, gateway),
      placed: (address, gateway) => this.#gateway.admit(run, address, gateway),
      terminalOpened: () => {
        for (const listener of this.#terminalListeners) listener()
      },
      openNotify: (notify, isUp) => this.#options.notify.open(run, notify, isUp),
      identifyNotify: (id) => this.#options.notify.identify(run, id),
    })
    const attended: Attended = {
      container,
      listener: {
        onEvent: (event) => container.onEvent(event),
        onReconnected: () => void container.recheck(),
      },
      held: null,
    }
    this.#runs.set(run, attended)
    this.#awaited.get(run)?.()
    this.#awaited.delete(run)
    return attended
  }

  #onFact(fact: ContainerFact): void {
    const held = this.#runs.get(fact.run)?.held
    if (held !== null && held !== undefined) held.push(fact)
    else this.#tell(fact)
  }

  #tell(fact: ContainerFact): void {
    if (fact.type === 'exited' || fact.type === 'lost') this.#gateway.dismiss(fact.run)
    if (fact.type === 'emptied' || fact.type === 'lost') this.#forget(fact.run)
    this.#options.onFact(fact)
  }

  #forget(run: string): void {
    const attended = this.#runs.get(run)
    if (attended === undefined) return
    this.#runs.delete(run)
    this.#gateway.dismiss(run)
    this.#options.notify.close(run)
    attended.container.connection.unlisten(attended.listener)
  }
}

/** Null for what is gone by now. */
function unlessGone(error: unknown): null {
  if (statusOf(error) === 404) return null
  throw error
}

function keyOf({ url, certificates }: EngineAddress): string {
  return `${url} ${certificates ?? ''}`
}

/** Neither this machine's directories nor its loopback addresses exist there. */
function whyNotThere({ engine, volumes, ports }: ContainerOrder): string | null {
  if (!isRemote(engine)) return null
  const [volume] = volumes
  if (volume !== undefined) {
    return `the Docker engine at ${engine.url} is on another machine, where the volume "${volume}" cannot be mounted; use a local engine: unset DOCKER_HOST`
  }
  const [port] = ports
  if (port !== undefined) {
    return `the Docker engine at ${engine.url} is on another machine, whose port ${port.container} cannot be published here; use a local engine: unset DOCKER_HOST`
  }
  return null
}

async function foundContainer(
  { Id, Name, State, Config }: ContainerInspectInfo,
  engine: EngineAddress,
): Promise<FoundContainer> {
  return {
    run: Config.Labels[labels.run] ?? '',
    tag: parseTag(Config.Labels[labels.tag]),
    container: {
      engine,
      id: Id,
      name: Name.replace(/^\//, ''),
      pid: isRemote(engine) ? null : await ownPid(State.Pid, Id),
    },
    startedAt: Math.floor(parseEngineTime(State.StartedAt)),
  }
}

/** Empty for what was written by another version. */
function parseTag(text: string | undefined): FoundContainer['tag'] {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
