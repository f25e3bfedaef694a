// A world for tests of the supervisor: a keeper, monitors and a clock that do what the test says, and nothing by themselves.
import type { LocaldEvent } from '@locald/protocol'
import type { ContainerFact } from '../../container/container-order.ts'
import type { HealthMonitor, HealthReport } from '../../health/monitor.ts'
import type { KeeperLink } from '../../keeper/keeper-link.ts'
import type { EndOrder, Fact, KeeperHello, RunInfo, SpawnOrder } from '../../keeper/protocol.ts'
import { instanceKey } from '../../plan/instance-key.ts'
import type { Plan } from '../../plan/plan.ts'
import { configOf, planOf } from '../../plan/testing/config-of.ts'
import type { ServiceSketch } from '../../plan/testing/config-of.ts'
import { keysOf } from '../place.ts'
import { applyChange, emptyState, restoreState, storeState } from '../state.ts'
import type { Change, SupervisorState } from '../state.ts'
import { Supervisor } from '../supervisor.ts'
import type { FileReport } from '../supervisor-dependencies.ts'
import type { Adoption } from '../take-over.ts'

interface FakeRun {
  readonly id: string
  readonly key: string
  readonly startedAt: number
  isEmpty: boolean
}

interface Timer {
  readonly time: number
  readonly callback: () => void
}

/** Everything that happened, in words: `spawn web.1`, `end web.1 SIGTERM`. */
export class SupervisorWorld {
  readonly happened: string[] = []
  readonly events: LocaldEvent[] = []
  /** The journal, as another daemon would read it. */
  readonly changes: Change[] = []
  /** All that the keeper was told to end. */
  readonly ends: EndOrder[] = []
  /** Who listens on a port, besides what is planned. */
  readonly listeners = new Map<number, string>()
  /** Whether requests are under way, so that who is to be drained waits for `answered`. */
  isBusy = false
  now = 1_000_000
  supervisor: Supervisor
  #runs: FakeRun[] = []
  #timers: Timer[] = []
  #reports = new Map<string, (report: HealthReport) => void>()
  #files = new Map<string, (report: FileReport) => void>()
  #draining: (() => void)[] = []
  #containers = new Set<string>()
  #facts = 0
  #ids = 0

  constructor() {
    this.supervisor = this.#createSupervisor(emptyState())
  }

  plan(services: Readonly<Record<string, ServiceSketch>>): Plan {
    return planOf(configOf(services))
  }

  async up(
    plan: Plan,
    options: {
      readonly services?: readonly string[]
      /** Instances instead of whole services. */
      readonly keys?: readonly string[]
      readonly named?: readonly string[]
      readonly order?: string
      readonly timeoutMs?: number
    } = {},
  ): Promise<void> {
    const keys = options.keys ?? keysOf(plan, new Set(options.services ?? plan.services.map((s) => s.name)))
    const { order = 'up-order', timeoutMs = null } = options
    const named = new Set(options.named)
    this.supervisor.up({ order, kind: 'up', plan, keys, named, flags: {}, timeoutMs, restart: false, warnings: [] })
    await this.settle()
  }

  async start(plan: Plan, restart = false): Promise<void> {
    this.supervisor.up({
      order: 'start-order',
      kind: 'start',
      plan,
      keys: allKeys(plan),
      named: new Set(),
      flags: {},
      timeoutMs: null,
      restart,
      warnings: [],
    })
    await this.settle()
  }

  async stop(plan: Plan, keys: readonly string[] = allKeys(plan), now = false): Promise<void> {
    this.supervisor.stop(plan.id, 'stop-order', keys, now)
    await this.settle()
  }

  async restart(plan: Plan, keys: readonly string[] = allKeys(plan)): Promise<void> {
    this.supervisor.restart({ order: 'restart-order', plan, keys, isNamed: true, timeoutMs: null, warnings: [] })
    await this.settle()
  }

  /** A request for a service has come. */
  async requested(plan: Plan, service: string): Promise<void> {
    this.supervisor.requested(plan.id, service)
    await this.settle()
  }

  async healthy(...services: readonly string[]): Promise<void> {
    for (const service of services) {
      const report = this.#reports.get(this.#runOf(service).id)
      if (report === undefined) throw new Error(`Nobody watches ${service}`)
      report({ type: 'healthy', source: 'tcp', message: '', ports: [], warnings: [] })
    }
    await this.settle()
  }

  /** It is healthy because it listens there. */
  async listens(service: string, port: number, host?: string): Promise<void> {
    const report = this.#reports.get(this.#runOf(service).id)
    const reached = { ports: [port], ...(host === undefined ? {} : { host }), warnings: [] }
    report?.({ type: 'healthy', source: 'tcp', message: '', ...reached })
    await this.settle()
  }

  /** Files that it watches have changed; an error when nobody watches them. */
  async filesChange(service: string, ...files: readonly string[]): Promise<void> {
    const report = this.#files.get(service)
    if (report === undefined) throw new Error(`Nobody watches the files of ${service}`)
    report({ type: 'files-changed', files })
    await this.settle()
  }

  async unhealthy(service: string): Promise<void> {
    this.#reports.get(this.#runOf(service).id)?.({ type: 'unhealthy', source: 'http', message: 'status 500' })
    await this.settle()
  }

  /** All requests that were under way have been answered. */
  async answered(): Promise<void> {
    for (const done of this.#draining.splice(0)) done()
    await this.settle()
  }

  /** The run says this over its notify socket. */
  async says(run: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const sender = { pid: 100, uid: 0, command: null, verdict: 'member' }
    this.supervisor.fact({ seq: ++this.#facts, at: this.now, run, type: 'notified', fields, sender } as Fact)
    await this.settle()
  }

  /** The leader exits; what is left of its tree is gone at once. */
  async exits(service: string, code: number | null = 0): Promise<void> {
    const run = this.#runOf(service)
    const signal = code === null ? 'SIGTERM' : null
    this.#fact(run, { type: 'exited', code, signal, members: [] })
    run.isEmpty = true
    this.#fact(run, { type: 'emptied', survivors: [] })
    await this.settle()
  }

  /** The leader exits, and others of its tree run on. */
  async leaderExits(service: string): Promise<void> {
    this.#fact(this.#runOf(service), { type: 'exited', code: 0, signal: null, members: [{ pid: 7, command: 'left' }] })
    await this.settle()
  }

  /** Lets time pass, and what was due in it happen. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms
    for (;;) {
      const [due] = this.#timers.filter((t) => t.time <= until).sort((a, b) => a.time - b.time)
      if (due === undefined) break
      this.#timers = this.#timers.filter((t) => t !== due)
      this.now = Math.max(this.now, due.time)
      due.callback()
      await this.settle()
    }
    this.now = until
  }

  /** The daemon is killed, and another reads what it had recorded. */
  async replaceDaemon(): Promise<void> {
    const state = emptyState()
    for (const change of JSON.parse(JSON.stringify(this.changes)) as Change[]) applyChange(state, change)
    await this.#goOn(restoreState(storeState(state)), [])
  }

  /** The daemon is killed, the journal is gone, and another daemon has found these. */
  async loseJournal(adopted: readonly Adoption[]): Promise<void> {
    await this.#goOn(emptyState(), adopted)
  }

  async #goOn(state: SupervisorState, adopted: readonly Adoption[]): Promise<void> {
    this.supervisor[Symbol.dispose]()
    this.#timers = []
    this.#draining = []
    this.#reports.clear()
    this.#files.clear()
    this.supervisor = this.#createSupervisor(state)
    this.supervisor.resume(this.#hello(), { adopted })
    await this.settle()
  }

  /** Something has become of a container. */
  async containerFact(fact: ContainerFact): Promise<void> {
    this.supervisor.containerFact(fact)
    await this.settle()
  }

  /** What happened since the last time it was asked. */
  news(): readonly string[] {
    return this.happened.splice(0)
  }

  states(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.supervisor.statuses().flatMap((p) => p.services.map((s) => [instanceKey(s.name, s.instance), s.state])),
    )
  }

  /** How the orders ended so far. */
  outcomes(): readonly string[] {
    return this.events.flatMap((e) => (e.type === 'order.ended' ? [`${e.kind} ${e.outcome}`] : []))
  }

  /** Answers of the keeper and of files arrive in later turns. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }

  #fact(run: FakeRun, body: Record<string, unknown>): void {
    this.supervisor.fact({ seq: ++this.#facts, at: this.now, run: run.id, ...body } as Fact)
  }

  #runOf(service: string): FakeRun {
    const key = service.includes('.') ? service : `${service}.1`
    const run = this.#runs.findLast((r) => r.key === key)
    if (run === undefined) throw new Error(`${service} never ran`)
    return run
  }

  #hello(): KeeperHello {
    const runs = this.#runs
      .filter((r) => !r.isEmpty)
      .map((r): RunInfo => ({
        run: r.id,
        tag: {},
        identity: identityOf(r.id),
        startedAt: r.startedAt,
        tty: true,
        exited: null,
        ending: false,
      }))
    return { protocol: 1, version: '0', pid: 1, startedAt: 0, runs }
  }

  #createSupervisor(state: SupervisorState): Supervisor {
    return new Supervisor(state, {
      keeper: this.#keeper(),
      batch: (work) => work(),
      record: (event, changes) => {
        this.changes.push(...changes)
        if (event !== null) this.events.push({ ...event, seq: this.events.length + 1, at: '' })
      },
      prepare: async ({ service, instance }, run) => ({
        ok: true,
        port: instance.port,
        check: { env: {} },
        order: {
          run: run.id,
          tag: { key: instanceKey(service.name, instance.instance) },
          argv: [],
          cwd: '/',
          env: {},
          tty: null,
          log: { stream: '', run: run.number, segmentBytes: 1, segments: 1 },
        },
      }),
      prepareCheck: async () => ({ env: {} }),
      containers: {
        spawn: async () => ({ ok: false, message: 'no containers here' }),
        end: ({ run, signal }) => {
          if (!this.#containers.has(run)) return false
          this.happened.push(`end container ${run} ${signal ?? 'by its own signal'}`)
          return true
        },
        extendEnd: (run, ms) => void this.happened.push(`extend ${run} ${ms}`),
        adopt: ({ run }) => {
          this.#containers.add(run)
          this.happened.push(`adopt container ${run}`)
        },
      },
      startContainerMonitor: ({ run }, _place, report) => this.#watch(run, report),
      logOf: (_place, run) => ({ stream: '', run: run.number, segmentBytes: 1, segments: 1 }),
      remainingSurvivors: (survivors) => survivors,
      drain: ({ instance }) => {
        if (!this.isBusy) return null
        this.happened.push(`drain ${instanceKey(instance.service, instance.instance)}`)
        return new Promise((resolve) => this.#draining.push(resolve))
      },
      heldPorts: async (ports) => new Map([...this.listeners].filter(([port]) => ports.has(port))),
      watchFiles: ({ service }, _since, report) => {
        this.#files.set(service.name, report)
        return { [Symbol.dispose]: () => void this.#files.delete(service.name) }
      },
      startMonitor: ({ run }, report) => this.#watch(run, report),
      warningsOf: () => [],
      publicUrlOf: () => null,
      newRunId: () => `run-${++this.#ids}`,
      clock: {
        now: () => this.now,
        at: (time, callback) => {
          const timer = { time, callback }
          this.#timers.push(timer)
          return () => {
            this.#timers = this.#timers.filter((t) => t !== timer)
          }
        },
      },
      logger: { log: (level, msg, fields) => void this.happened.push(`${level}: ${msg} ${JSON.stringify(fields)}`) },
    })
  }

  #watch(run: string, report: (report: HealthReport) => void): HealthMonitor {
    this.#reports.set(run, report)
    return {
      source: 'tcp',
      lastCheck: null,
      notified: () => undefined,
      [Symbol.dispose]: () => void this.#reports.delete(run),
    }
  }

  #keeper(): KeeperLink {
    const answer = (op: string, params: unknown): unknown => {
      if (op === 'spawn') {
        const { run, tag } = params as SpawnOrder
        const key = String(tag['key'])
        this.#runs.push({ id: run, key, startedAt: this.now, isEmpty: false })
        this.happened.push(`spawn ${key}`)
        return { ok: true, identity: identityOf(run), startedAt: this.now }
      }
      if (op === 'end') {
        const order = params as EndOrder
        const { run: id, signal, timeoutMs } = order
        this.ends.push(order)
        const run = this.#runs.find((r) => r.id === id)
        this.happened.push(`end ${run?.key ?? id} ${timeoutMs === 0 ? 'SIGKILL' : signal}`)
        return { known: run !== undefined && !run.isEmpty }
      }
      return {}
    }
    return {
      request: (async (op: string, params: unknown) => answer(op, params)) as KeeperLink['request'],
      onFact: () => undefined,
      onGrew: () => undefined,
      onTrouble: () => undefined,
      onLost: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
}

function identityOf(run: string): RunInfo['identity'] {
  return { pid: 100, startTime: 1, marker: run, lockLimit: null }
}

function allKeys(plan: Plan): readonly string[] {
  return plan.services.flatMap((s) => s.instances.map((i) => instanceKey(s.name, i.instance)))
}
