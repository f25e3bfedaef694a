// One run of a service as a container: fetched, created, started, recorded, ended, removed.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerInspectInfo } from 'dockerode'
import type { Logger } from '../lib/logger.ts'
import { ContainerExec } from './container-exec.ts'
import type { ExecResult } from './container-exec.ts'
import { containerExit, describeStartFailure } from './container-exit.ts'
import { recordOutput } from './container-log.ts'
import type { OutputRecorder, RecordedOutput } from './container-log.ts'
import type {
  ContainerNotify,
  ContainerEndOrder,
  ContainerFact,
  ContainerIdentity,
  ContainerOrder,
  ContainerSpawnResult,
  KnownRun,
  OutputTarget,
} from './container-order.ts'
import { ContainerTerminal } from './container-terminal.ts'
import {
  containerName,
  createOptions,
  labels,
  makeVolumeDirectories,
  notifyOf,
  withoutLogDriver,
} from './create-options.ts'
import { describeEngineError, isUnreachable, messageOf, statusOf } from './engine.ts'
import type { EngineConnection, EngineEvent } from './engine-connection.ts'
import { isRemote } from './engine-address.ts'
import { ownPid } from './inner-listeners.ts'
import { parseEngineTime } from './log-messages.ts'
import type { LogMessage } from './log-messages.ts'
import { pullImage } from './pull-image.ts'

export interface RunHost {
  readonly recorder: OutputRecorder
  readonly logger: Logger
  readonly fact: (fact: ContainerFact) => void
  /** Something to show while it is being prepared. */
  readonly progress: (message: string) => void
  /** It is about to start in the network of this bridge. */
  readonly expected: (gateway: string) => Promise<void>
  readonly placed: (address: string, gateway: string) => void
  /** Its terminal can be attached to from now on. */
  readonly terminalOpened: () => void
  /** It is about to be created with this, or was created, or runs already and may be up. */
  readonly openNotify: (notify: ContainerNotify, isUp: boolean) => Promise<void>
  readonly identifyNotify: (container: string) => Promise<void>
}

/** Output that is still on its way when the container has ended: so long it may pause. */
const silenceMs = 2000
/** An engine that is away this long after it should have sent SIGKILL is given up. */
const giveUpMs = 10_000
const retryMs = 250

type Fact = ContainerFact extends infer F ? (F extends ContainerFact ? Omit<F, 'run' | 'at'> : never) : never

interface Ending {
  signal: string
  deadline: number | null
  timer: NodeJS.Timeout | null
  /** It asked for time until then, on the monotonic clock. */
  extendedTo: number
  isKilling: boolean
}

export class ContainerRun {
  readonly run: string
  readonly #connection: EngineConnection
  readonly #host: RunHost
  readonly #log: OutputTarget
  readonly #preparing = new AbortController()
  readonly #letGo = new AbortController()
  readonly #signals = new Set<string>()
  readonly #exec = new ContainerExec()
  #identity: ContainerIdentity | null = null
  #stopSignal = 'SIGTERM'
  #tty = false
  /** Null: it has none, or that is not open. */
  #terminal: ContainerTerminal | null = null
  /** What is recorded so far; null: not known yet. */
  #recorded: RecordedOutput | null = null
  #recording: Promise<void> | null = null
  #lastOutputAt = 0
  #ending: Ending | null = null
  #finishing: Promise<void> | null = null
  #healthListeners = new Set<() => void>()
  /** Taken over, and its notify socket not opened yet. */
  #heardAs: KnownRun | null = null
  #isStarted = false
  #isOver = false

  constructor(run: string, log: OutputTarget, connection: EngineConnection, host: RunHost) {
    this.run = run
    this.#log = log
    this.#connection = connection
    this.#host = host
  }

  get connection(): EngineConnection {
    return this.#connection
  }

  /** Null before the container exists. */
  get identity(): ContainerIdentity | null {
    return this.#identity
  }

  /** Null where it has none, or none that can be reached now. */
  get terminal(): ContainerTerminal | null {
    return this.#terminal
  }

  /** Nothing more will be told of it. */
  get isOver(): boolean {
    return this.#isOver
  }

  async spawn(order: ContainerOrder): Promise<ContainerSpawnResult> {
    try {
      const { identity, startedAt } = await this.#start(order)
      return { ok: true, container: identity, startedAt }
    } catch (error) {
      this.#isOver = true
      await this.#removeQuietly()
      if (this.#preparing.signal.aborted) return { ok: false, message: 'stopped' }
      if (isUnreachable(error)) return { ok: false, message: describeEngineError(error, this.#connection.address) }
      return { ok: false, message: describeStartFailure(messageOf(error), order.image) }
    }
  }

  /** Takes over what an earlier daemon started. Facts tell what it finds. */
  async adopt(known: KnownRun): Promise<void> {
    this.#identity = known.container
    this.#isStarted = true
    this.#heardAs = known
    await this.recheck()
  }

  end({ signal, timeoutMs }: ContainerEndOrder): void {
    if (!this.#isStarted) {
      this.#preparing.abort()
      return
    }
    if (this.#isOver || this.#finishing !== null) return
    const isFirst = this.#ending === null
    const ending: Ending = (this.#ending ??= {
      signal: signal ?? this.#stopSignal,
      deadline: null,
      timer: null,
      extendedTo: 0,
      isKilling: false,
    })
    if (isFirst && timeoutMs !== 0) void this.#send(ending.signal)
    this.#killAfter(ending, timeoutMs)
  }

  /** It asks for more time to end: it is not killed earlier than in so many milliseconds. */
  extendEnd(ms: number): void {
    const ending = this.#ending
    if (ending === null || ending.deadline === null || ending.isKilling) return
    ending.extendedTo = performance.now() + ms
    if (ending.extendedTo > ending.deadline) this.#killAt(ending, ending.extendedTo)
  }

  /** Looks at the container again: after the engine was away, and when it is taken over. */
  async recheck(): Promise<void> {
    if (this.#isOver || !this.#isStarted || this.#finishing !== null) return
    let info: ContainerInspectInfo
    try {
      info = await this.#container().inspect()
    } catch (error) {
      if (statusOf(error) !== 404) return // the engine comes back, and this with it
      return this.#lose()
    }
    if (this.#isOver || this.#finishing !== null) return
    this.#note(info)
    if (!info.State.Running) return this.#finish(null)
    this.#place(info)
    this.#record()
    if (this.#heardAs !== null) await this.#hearAgain(info, this.#heardAs.isUp)
    // What the engine thinks of its health may have changed, too.
    this.#tellHealth()
    if (this.#tty && this.#terminal?.isOver !== false) await this.#openTerminal()
    if (this.#ending !== null) void this.#send(this.#ending.isKilling ? 'SIGKILL' : this.#ending.signal)
  }

  onEvent({ container, action, at, attributes }: EngineEvent): void {
    if (container !== this.#identity?.id || this.#isOver || !this.#isStarted) return
    if (action === 'die') this.#finish({ exitCode: Number(attributes['exitCode'] ?? 255), at })
    else if (action === 'destroy' && this.#finishing === null) this.#lose()
    else if (action.startsWith('health_status')) this.#tellHealth()
  }

  #tellHealth(): void {
    for (const listener of this.#healthListeners) listener()
  }

  /** Hears when the engine has another opinion of its health, or may have. */
  onHealth(listener: () => void): Disposable {
    this.#healthListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#healthListeners.delete(listener) }
  }

  /** Runs a program inside; one after the other. See `ContainerExec`. */
  async execute(argv: readonly string[], signal: AbortSignal): Promise<ExecResult | null> {
    return await this.#exec.run(this.#connection.engine, this.#identity?.id ?? '', argv, signal)
  }

  /** What the engine says of it now. */
  async inspect(): Promise<ContainerInspectInfo> {
    return await this.#container().inspect()
  }

  /** Lets go of it; the container runs on. */
  abandon(): void {
    this.#isOver = true
    this.#preparing.abort()
    this.#letGo.abort()
    this.#terminal?.[Symbol.dispose]()
    if (this.#ending?.timer != null) clearTimeout(this.#ending.timer)
  }

  async #start(order: ContainerOrder): Promise<{ identity: ContainerIdentity; startedAt: number }> {
    const { engine } = this.#connection
    if (order.notify !== undefined) await this.#host.openNotify(order.notify, false)
    const existing = await this.#findOwn(order)
    if (existing === null) {
      await this.#ensureImage(order)
      await makeVolumeDirectories(order)
      await this.#create(order)
    } else this.#identity = { engine: order.engine, id: existing, name: containerName(order), pid: null }
    const gateway = await this.#connection.bridgeGateway()
    if (gateway !== null) await this.#host.expected(gateway)
    this.#preparing.signal.throwIfAborted()
    const container = engine.getContainer(this.#identity?.id ?? '')
    if (order.notify !== undefined) await this.#host.identifyNotify(container.id)
    if (order.tty) await this.#openTerminal()
    // 304: it was started already, by a daemon that died right after.
    await container.start().catch((error: unknown) => {
      if (statusOf(error) !== 304) throw error
    })
    const info = await container.inspect()
    const startedAt = Math.floor(parseEngineTime(info.State.StartedAt))
    this.#note(info)
    const identity: ContainerIdentity = {
      engine: order.engine,
      id: info.Id,
      name: info.Name.replace(/^\//, ''),
      pid: isRemote(order.engine) ? null : await ownPid(info.State.Pid, info.Id),
    }
    this.#identity = identity
    this.#isStarted = true
    if (this.#preparing.signal.aborted) throw new Error('stopped')
    this.#place(info)
    this.#record()
    // It may have ended before anybody listened.
    if (!info.State.Running) queueMicrotask(() => this.#finish(null))
    return { identity, startedAt }
  }

  /** A container of this very run that an earlier daemon created. What else has its name, and is ours, is in the way. */
  async #findOwn(order: ContainerOrder): Promise<string | null> {
    const found = await this.#connection.engine.listContainers({
      all: true,
      filters: {
        label: [
          `${labels.installation}=${order.installation}`,
          `${labels.project}=${order.project.id}`,
          `${labels.service}=${order.service}`,
          `${labels.instance}=${order.instance}`,
        ],
      },
    })
    const own = found.find(({ Labels }) => Labels[labels.run] === order.run && Labels[labels.hash] === order.hash)
    for (const { Id } of found) {
      if (Id !== own?.Id)
        await this.#connection.engine.getContainer(Id).remove({ force: true, v: true }).catch(ignoreGone)
    }
    return own?.Id ?? null
  }

  async #ensureImage({ image, shell }: ContainerOrder): Promise<void> {
    const { engine } = this.#connection
    try {
      await engine.getImage(image).inspect()
    } catch (error) {
      if (statusOf(error) !== 404) throw error
      const { signal } = this.#preparing
      await pullImage({ engine, image, env: shell, signal, onProgress: this.#host.progress }).catch(
        (cause: unknown) => {
          throw isUnreachable(cause)
            ? cause
            : new Error(`cannot pull the image "${image}": ${messageOf(cause)}`, { cause })
        },
      )
    }
    this.#preparing.signal.throwIfAborted()
  }

  async #create(order: ContainerOrder): Promise<void> {
    const { engine } = this.#connection
    const options = createOptions(order, 'host-gateway')
    const name = containerName(order)
    const create = async (using: typeof options, called: string): Promise<string> =>
      (await engine.createContainer({ ...using, name: called })).id
    const named = async (using: typeof options): Promise<string> =>
      await create(using, name).catch(async (error: unknown) => {
        // Another installation has the same project: its container is not ours to touch.
        if (statusOf(error) !== 409) throw error
        return await create(using, `${name}-${order.run.slice(0, 6)}`)
      })
    const id = await named(options).catch(async (error: unknown) => {
      if (!/log(?:ging)? (?:driver|option)|log-driver|LogConfig/i.test(messageOf(error))) throw error
      return await named(withoutLogDriver(options))
    })
    this.#identity = { engine: order.engine, id, name, pid: null }
  }

  /** What later steps need of it. */
  #note({ Config, Id, Name }: ContainerInspectInfo): void {
    this.#tty = Config.Tty
    const { StopSignal: signal } = Config as { StopSignal?: string }
    if (signal !== undefined && signal !== '') this.#stopSignal = signal
    if (this.#identity !== null) this.#identity = { ...this.#identity, id: Id, name: Name.replace(/^\//, '') }
  }

  /** The keeper that held its notify socket may have been lost. */
  async #hearAgain(info: ContainerInspectInfo, isUp: boolean): Promise<void> {
    this.#heardAs = null
    const notify = notifyOf(info)
    if (notify === null) return
    try {
      await this.#host.openNotify(notify, isUp)
      await this.#host.identifyNotify(info.Id)
    } catch (error) {
      this.#host.logger.log('warn', 'Cannot open the notify socket of a container', { run: this.run, error })
    }
  }

  /** Without it nobody can attach; it runs all the same. */
  async #openTerminal(): Promise<void> {
    try {
      this.#terminal = await ContainerTerminal.open(this.#container())
      if (this.#isOver) this.#terminal[Symbol.dispose]()
      else this.#host.terminalOpened()
    } catch (error) {
      this.#host.logger.log('warn', 'Cannot open the terminal of a container', { run: this.run, error })
    }
  }

  #place({ NetworkSettings }: ContainerInspectInfo): void {
    const [network] = Object.values(NetworkSettings.Networks)
    if (network !== undefined) this.#host.placed(network.IPAddress, network.Gateway)
  }

  /** Records what it writes until its end, unless that is done or being done. */
  #record(): void {
    if (this.#recording !== null || this.#identity === null) return
    this.#lastOutputAt = performance.now()
    this.#recording = this.#recordWhileRunning(this.#identity)
      .catch((error: unknown) => {
        if (this.#letGo.signal.aborted) return
        this.#host.logger.log('warn', 'The output of a container broke off', { run: this.run, error })
      })
      .finally(() => (this.#recording = null))
  }

  /** A stream may end before the container: the engine changed to another file. */
  async #recordWhileRunning(identity: ContainerIdentity): Promise<void> {
    for (;;) {
      await this.#recordOnce(identity)
      if (this.#finishing !== null || this.#letGo.signal.aborted || !(await this.inspect()).State.Running) return
      await sleep(retryMs, undefined, { ref: false })
    }
  }

  async #recordOnce({ id, name }: ContainerIdentity): Promise<void> {
    const { recorder } = this.#host
    let recorded = await this.#recordedSoFar()
    if (!recorded.hasStarted) {
      const { State } = await this.inspect()
      await recorder.record(this.#log, parseEngineTime(State.StartedAt), {
        type: 'run.started',
        run: this.run,
        container: name,
      })
      recorded = { ...recorded, hasStarted: true }
      this.#recorded = recorded
    }
    const output = async (log: OutputTarget, chunks: readonly LogMessage[]): Promise<void> => {
      await recorder.output(log, chunks)
      const last = { ...this.#recorded?.last }
      for (const { stream, at } of chunks) last[stream] = at
      this.#recorded = { hasStarted: true, hasExited: false, last }
      this.#lastOutputAt = performance.now()
    }
    await recordOutput({
      engine: this.#connection.engine,
      container: id,
      tty: this.#tty,
      log: this.#log,
      output,
      recorded,
      signal: this.#letGo.signal,
    })
  }

  async #recordedSoFar(): Promise<RecordedOutput> {
    this.#recorded ??= await this.#host.recorder.recorded(this.#log)
    return this.#recorded
  }

  #killAfter(ending: Ending, timeoutMs: number | null): void {
    if (timeoutMs === null || ending.isKilling) return
    const now = performance.now()
    const deadline = timeoutMs <= 0 ? now : Math.max(now + timeoutMs, ending.extendedTo)
    if (ending.deadline === null || deadline < ending.deadline) this.#killAt(ending, deadline)
  }

  #killAt(ending: Ending, deadline: number): void {
    ending.deadline = deadline
    if (ending.timer !== null) clearTimeout(ending.timer)
    const kill = (): void => {
      ending.isKilling = true
      this.#tell({ type: 'killed' })
      void this.#send('SIGKILL')
    }
    const delay = deadline - performance.now()
    if (delay <= 0) kill()
    else ending.timer = setTimeout(kill, delay)
  }

  /** Tries as long as the engine is away, for SIGKILL only so long. */
  async #send(signal: string): Promise<void> {
    this.#signals.add(signal)
    const since = performance.now()
    while (!this.#isOver && this.#finishing === null) {
      if (signal !== 'SIGKILL' && this.#ending?.isKilling === true) return
      try {
        // What is paused would not notice.
        await this.#container()
          .unpause()
          .catch(() => undefined)
        await this.#container().kill({ signal })
        return
      } catch (error) {
        const status = statusOf(error)
        if (status === 404) return this.#lose()
        if (status === 409) return void this.recheck() // it does not run: the event is on its way, or was missed
        if (signal === 'SIGKILL' && performance.now() - since > giveUpMs) {
          return this.#giveUp(describeEngineError(error, this.#connection.address))
        }
      }
      await sleep(retryMs, undefined, { ref: false })
    }
  }

  #finish(seen: { readonly exitCode: number; readonly at: number } | null): void {
    this.#finishing ??= this.#wrapUp(seen).catch((error: unknown) => {
      this.#host.logger.log('error', 'Cannot wrap up a container', { run: this.run, error })
      this.#giveUp(describeEngineError(error, this.#connection.address))
    })
  }

  async #wrapUp(seen: { readonly exitCode: number; readonly at: number } | null): Promise<void> {
    if (this.#ending?.timer != null) clearTimeout(this.#ending.timer)
    const info = await this.inspect().catch((error: unknown) => {
      if (statusOf(error) === 404) return null
      throw error
    })
    if (this.#isOver) return
    if (info?.State.Running === true) {
      // Somebody restarted it by the engine's own means.
      this.#finishing = null
      this.#record()
      if (this.#tty) await this.#openTerminal()
      return
    }
    await this.#outputEnd()
    const exit = containerExit({
      exitCode: info?.State.ExitCode ?? seen?.exitCode ?? 255,
      isOutOfMemory: info?.State.OOMKilled ?? false,
      error: info?.State.Error ?? '',
      signals: this.#signals,
    })
    const at = info === null ? (seen?.at ?? Date.now()) : parseEngineTime(info.State.FinishedAt)
    const { code, signal } = exit
    if (!(await this.#recordedSoFar()).hasExited) {
      await this.#host.recorder.record(this.#log, at, { type: 'run.exited', run: this.run, code, signal })
    }
    if (this.#isOver) return
    this.#tell({ type: 'exited', ...exit }, at)
    await this.#container().remove({ force: true, v: true }).catch(ignoreGone)
    this.#empty([])
  }

  /** Waits for what it wrote last. The engine closes the stream by itself; one that hangs is left. */
  async #outputEnd(): Promise<void> {
    await this.#untilSilent()
    // Once more: what was written around the end of a file of the engine's may have been passed over.
    this.#record()
    await this.#untilSilent()
  }

  async #untilSilent(): Promise<void> {
    this.#lastOutputAt = performance.now()
    for (let left = this.#recording; left !== null; left = this.#recording) {
      await Promise.race([left, sleep(retryMs)])
      if (performance.now() - this.#lastOutputAt > silenceMs) this.#letGo.abort()
    }
  }

  #lose(): void {
    if (this.#isOver || this.#finishing !== null) return
    this.#isOver = true
    this.#letGo.abort()
    this.#terminal?.[Symbol.dispose]()
    this.#host.fact({ run: this.run, at: Date.now(), type: 'lost' })
  }

  #giveUp(reason: string): void {
    this.#letGo.abort()
    this.#empty([`container ${this.#identity?.name ?? ''}: ${reason}`])
  }

  #empty(survivors: readonly string[]): void {
    if (this.#isOver) return
    this.#terminal?.[Symbol.dispose]()
    this.#tell({ type: 'emptied', survivors })
    this.#isOver = true
  }

  #tell(fact: Fact, at: number = Date.now()): void {
    if (!this.#isOver) this.#host.fact({ ...fact, run: this.run, at: Math.floor(at) })
  }

  async #removeQuietly(): Promise<void> {
    this.#letGo.abort()
    this.#terminal?.[Symbol.dispose]()
    if (this.#identity === null) return
    await this.#container()
      .remove({ force: true, v: true })
      .catch((error: unknown) => {
        if (statusOf(error) !== 404)
          this.#host.logger.log('warn', 'Cannot remove a container', { run: this.run, error })
      })
  }

  #container(): ReturnType<EngineConnection['engine']['getContainer']> {
    return this.#connection.engine.getContainer(this.#identity?.id ?? '')
  }
}

/** It is gone, or on its way. */
function ignoreGone(error: unknown): void {
  const status = statusOf(error)
  if (status !== 404 && status !== 409) throw error
}
