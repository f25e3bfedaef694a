// The rounds of chaos: what is asked of locald, when something of it is killed meanwhile, and what has to hold afterwards.
import { existsSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogLine, ServiceSnapshot } from '@locald/protocol'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'
import type { CliResult } from '../support/cli.ts'
import { numberingFaults, startFollower } from './followers.ts'
import type { Follower } from './followers.ts'
import { startProber } from './prober.ts'
import type { Prober } from './prober.ts'
import { daemonPid, descriptorsOf, isRunning, keeperPid, processesIn } from './processes.ts'
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import { numbered, unrulyFiles } from './unruly-project.ts'

export interface ChaosPlan {
  readonly seed: number
  readonly daemonKills: number
  readonly keeperKills: number
}

export interface ChaosReport extends ChaosPlan {
  /** One for each kind of moment in which something was killed. */
  readonly phases: readonly PhaseReport[]
  readonly faults: readonly string[]
  /** Lines that were compared with what had to be there. */
  readonly lines: number
  readonly followedLines: number
  readonly followedEvents: number
  readonly connections: { readonly answered: number; readonly refused: number; readonly broken: number }
  readonly worstWaitMs: number
  /** Services found as they were, or as they should be, one count for each look at one. */
  readonly looks: number
  readonly seconds: number
}

interface PhaseReport {
  readonly phase: string
  readonly kills: number
}

type Phase = 'up' | 'steady' | 'restart' | 'stop'
type KeeperKill = 'keeper' | 'keeper and daemon' | 'keeper during restart'

/** A fifth crash within a minute would be a crash loop: each keeper sees at most so many. */
const killsOfOneKeeper = 4
const settledWithinMs = 30_000

export class Chaos implements AsyncDisposable {
  readonly #plan: ChaosPlan
  readonly #random: Random
  readonly #harness: Harness = createHarness()
  readonly #project: Project
  readonly #began = Date.now()
  readonly #kills = new Map<string, number>()
  readonly #faults: string[] = []
  #counts = { lines: 0, followedLines: 0, followedEvents: 0, answered: 0, refused: 0, broken: 0, looks: 0 }
  #worstWaitMs = 0
  #prober: Prober | null = null
  /** As they were after the last stop: nobody knows of their runs while no daemon is there. */
  #stopped: ReadonlyMap<string, ServiceSnapshot> = new Map()
  #step = ''

  constructor(plan: ChaosPlan) {
    this.#plan = plan
    this.#random = seededRandom(plan.seed)
    this.#project = this.#harness.project(unrulyFiles)
  }

  get report(): ChaosReport {
    const { lines, followedLines, followedEvents, answered, refused, broken, looks } = this.#counts
    return {
      ...this.#plan,
      phases: [...this.#kills].map(([phase, kills]) => ({ phase, kills })),
      faults: this.#faults,
      lines,
      followedLines,
      followedEvents,
      connections: { answered, refused, broken },
      worstWaitMs: Math.round(this.#worstWaitMs),
      looks,
      seconds: Math.round((Date.now() - this.#began) / 1000),
    }
  }

  /** Ends at the first round with a fault. */
  async run(): Promise<void> {
    let left = this.#plan.daemonKills
    while (left > 0 && this.#faults.length === 0) left -= await this.#daemonCycle(Math.min(left, killsOfOneKeeper))
    if (this.#plan.keeperKills > 0 && this.#faults.length === 0) await this.#keeperCycle(this.#plan.keeperKills)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prober?.stop()
    await this.#harness[Symbol.asyncDispose]()
  }

  /** Up, some time, down, and locald itself down; the daemon is killed in so many of these. */
  async #daemonCycle(kills: number): Promise<number> {
    const between: readonly Phase[] = [this.#random.pick<Phase>(['steady', 'restart']), 'steady', 'restart']
    const all: readonly Phase[] = ['up', ...between.slice(0, 2), 'stop']
    const killed = new Set(this.#choose(all.length, kills))
    const since = Date.now()
    let follower: Follower | null = null
    let descriptors = Infinity
    for (const [index, phase] of all.entries()) {
      const isKilled = killed.has(index)
      this.#step = `${phase}${isKilled ? ', the daemon killed' : ''}`
      if (isKilled) this.#count(phase)
      if (phase === 'up') {
        await this.#up(isKilled)
        follower = startFollower(this.#socket, this.#project.directory, { services: numbered, since })
        descriptors = descriptorsOf(this.#keeper)
      } else if (phase === 'steady') await this.#steady(isKilled)
      else if (phase === 'restart') await this.#restart(isKilled)
      else await this.#stop(isKilled)
      if (phase !== 'stop') await this.#expectDescriptors(descriptors)
    }
    this.#step = 'after the stop'
    if (follower !== null) await this.#endFollower(follower)
    await this.#checkLines(since)
    await this.#stopServer()
    return kills
  }

  async #keeperCycle(kills: number): Promise<void> {
    const since = Date.now()
    this.#step = 'up before the keeper is killed'
    await this.#up(false)
    for (let kill = 0; kill < kills && this.#faults.length === 0; kill += 1) {
      const kind = this.#random.pick<KeeperKill>(['keeper', 'keeper and daemon', 'keeper during restart'])
      this.#step = `${kind} killed`
      this.#count(kind)
      await this.#killKeeper(kind)
    }
    this.#step = 'stop after the keeper was killed'
    await this.#stop(false)
    await this.#checkLines(since)
    await this.#stopServer()
  }

  async #up(isKilled: boolean): Promise<void> {
    const before = this.#stopped
    const running = this.#project.start('up')
    await until(() => daemonPid(this.#keeper) !== null)
    this.#prober ??= startProber(this.#socket)
    if (isKilled) await this.#killWithin(2000)
    this.#expectSuccess(await running.ended)
    const after = await this.#services()
    for (const [name, service] of after) {
      this.#expectUp(service)
      const runs = (before.get(name)?.run ?? 0) + 1
      if (service.run !== runs) this.#fault(`${name} was started ${service.run - runs} times too often`)
      if (service.restarts !== 0) this.#fault(`${name} was restarted ${service.restarts} times`)
    }
    this.#expectOwned()
  }

  async #steady(isKilled: boolean): Promise<void> {
    const before = await this.#services()
    const crashes = this.#random.next() < 0.5
    const victim = crashes ? before.get('crasher') : undefined
    const order = this.#random.below(2)
    if (victim?.pid != null && order === 0) process.kill(victim.pid, 'SIGKILL')
    if (isKilled) await this.#killWithin(order === 0 ? 30 : 500)
    if (victim?.pid != null && order === 1) process.kill(victim.pid, 'SIGKILL')
    if (victim !== undefined) {
      const again = await this.#project.waitFor('crasher', (s) => s.run > victim.run && s.health.status === 'healthy')
      if (again.run !== victim.run + 1 || again.restarts !== victim.restarts + 1) {
        this.#fault(`The crash of crasher led to run ${again.run}, restarts ${again.restarts}, after run ${victim.run}`)
      }
      if (again.exit?.signal !== 'SIGKILL') this.#fault(`The exit of crasher is ${JSON.stringify(again.exit)}`)
    }
    const after = await this.#services()
    for (const [name, service] of after) {
      if (name !== 'crasher' || victim === undefined) this.#expectSame(before.get(name), service)
    }
    this.#expectOwned()
  }

  async #restart(isKilled: boolean): Promise<void> {
    const before = await this.#services()
    const some = [...before.keys()].filter((name) => name !== 'setup' && this.#random.next() < 0.4)
    const names = this.#random.next() < 0.3 ? [] : some
    const running = this.#project.start('restart', ...names)
    if (isKilled) await this.#killWithin(2500)
    this.#expectSuccess(await running.ended)
    for (const [name, service] of await this.#services()) {
      const isNamed = names.length === 0 || names.includes(name)
      this.#expectUp(service)
      const runs = (before.get(name)?.run ?? 0) + (isNamed ? 1 : 0)
      if (isNamed && service.run !== runs) this.#fault(`restart of ${name}: run ${service.run} instead of ${runs}`)
      if (!isNamed) this.#expectSame(before.get(name), service)
    }
    this.#expectOwned()
  }

  async #stop(isKilled: boolean): Promise<void> {
    const running = this.#project.start('stop')
    if (isKilled) await this.#killWithin(1500)
    this.#expectSuccess(await running.ended)
    this.#stopped = await this.#services()
    for (const [name, { state }] of this.#stopped) {
      if (state !== 'stopped') this.#fault(`${name} is ${state} after the stop`)
    }
    const left = processesIn(this.#project.directory, this.#keeper)
    for (const { pid, command } of left) this.#fault(`Process ${pid} (${command}) outlived the stop`)
  }

  async #killKeeper(kind: KeeperKill): Promise<void> {
    const before = await this.#services()
    const refusedBefore = await this.#pauseProber()
    const keeper = this.#keeper
    const restarting = kind === 'keeper during restart' ? this.#project.start('restart', 'slow', 'forker') : null
    // A keeper that is lost within its first second is not replaced at once.
    await sleep(1100 + this.#random.below(500))
    const daemon = daemonPid(keeper)
    process.kill(keeper, 'SIGKILL')
    if (kind === 'keeper and daemon') {
      if (daemon !== null) process.kill(daemon, 'SIGKILL')
      this.#expectSuccess(await this.#project.locald('up'))
    } else this.#prober = startProber(this.#socket)
    if (restarting !== null) this.#expectSuccess(await restarting.ended)
    await until(() => this.#keeper !== keeper)
    const isRestored = (services: ReadonlyMap<string, ServiceSnapshot>): boolean =>
      [...services].every(([name, s]) => s.state === 'completed' || (isUp(s) && s.pid !== before.get(name)?.pid))
    const deadline = Date.now() + settledWithinMs
    let after = await this.#services()
    while (!isRestored(after) && Date.now() < deadline) {
      await sleep(50)
      after = await this.#services()
    }
    for (const [name, service] of after) {
      this.#expectUp(service)
      const { pid = null, restarts = 0 } = before.get(name) ?? {}
      if (pid !== null && isRunning(pid)) this.#fault(`${name} of the lost keeper still runs (pid ${pid})`)
      if (service.restarts !== restarts) this.#fault(`The loss of the keeper counts as a crash of ${name}`)
    }
    const { warnings } = await this.#project.status()
    if (!warnings.some((w) => w.includes('keeper was lost'))) this.#fault(`No warning tells of the lost keeper`)
    this.#expectOwned()
    if (kind !== 'keeper and daemon' && (await this.#pauseProber()) > refusedBefore) {
      this.#fault('Connections were refused when the keeper was lost')
    }
  }

  /** Connections refused so far. */
  async #pauseProber(): Promise<number> {
    const report = await this.#prober?.stop()
    this.#prober = null
    if (report === undefined) return this.#counts.refused
    this.#counts.answered += report.answered
    this.#counts.refused += report.refused
    this.#counts.broken += report.broken
    this.#worstWaitMs = Math.max(this.#worstWaitMs, report.worstMs)
    return this.#counts.refused
  }

  async #stopServer(): Promise<void> {
    const refused = this.#counts.refused
    if ((await this.#pauseProber()) > refused) this.#fault('Connections were refused')
    this.#expectSuccess(await this.#harness.locald(['server', 'stop']))
  }

  async #endFollower(follower: Follower): Promise<void> {
    const { lines, events, faults } = await follower.finish()
    this.#counts.followedLines += lines
    this.#counts.followedEvents += events
    for (const fault of faults) this.#fault(`A follower: ${fault}`)
  }

  /** What is recorded of the numbered services since then. */
  async #checkLines(since: number): Promise<void> {
    const from = new Date(since).toISOString()
    for (const service of numbered) {
      const result = await this.#project.locald('logs', service, '--json', '--since', from)
      const lines = result.jsonLines<LogLine>()
      this.#counts.lines += lines.length
      for (const fault of numberingFaults(lines)) this.#fault(`Recorded: ${fault}`)
      if (lines.length < 100) this.#fault(`Only ${lines.length} lines of ${service} were recorded`)
    }
  }

  /**
   * Kills the daemon at a random moment within so many milliseconds, or in the very moment in which it has written something
   * into its journal and is about to act on it.
   */
  async #killWithin(ms: number): Promise<void> {
    const waited = this.#random.below(ms)
    const entries = this.#random.next() < 0.5 ? 1 + this.#random.below(25) : Infinity
    const moment = new AbortController()
    // Looked up before, for a moment does not last.
    let pid: number | null = null
    await until(() => existsSync(join(this.#harness.home, 'state/journal')))
    await until(() => (pid = daemonPid(this.#keeper)) !== null)
    const kill = (): void => {
      moment.abort()
      if (pid !== null) process.kill(pid, 'SIGKILL')
    }
    let seen = 0
    using _watching = watchJournal(this.#harness.home, () => {
      seen += 1
      if (seen >= entries && !moment.signal.aborted) kill()
    })
    await sleep(waited, undefined, { signal: moment.signal }).catch(() => {}) // killed already
    if (!moment.signal.aborted) kill()
  }

  async #services(): Promise<ReadonlyMap<string, ServiceSnapshot>> {
    const { services } = await this.#project.status()
    return new Map(services.map((service) => [service.name, service]))
  }

  #expectUp(service: ServiceSnapshot): void {
    this.#counts.looks += 1
    const isAsWanted = service.name === 'setup' ? service.state === 'completed' : isUp(service)
    if (!isAsWanted)
      this.#fault(`${service.name} is ${service.state}, ${service.health.status}: ${service.reason ?? ''}`)
  }

  #expectSame(before: ServiceSnapshot | undefined, after: ServiceSnapshot): void {
    this.#counts.looks += 1
    const facts = (s: ServiceSnapshot | undefined): string =>
      JSON.stringify([s?.state, s?.health.status, s?.pid, s?.port, s?.run, s?.restarts, s?.started_at])
    if (facts(before) !== facts(after)) this.#fault(`${after.name} was ${facts(before)} and is ${facts(after)}`)
  }

  #expectOwned(): void {
    for (const { pid, command, isOwned } of processesIn(this.#project.directory, this.#keeper)) {
      if (!isOwned) this.#fault(`Process ${pid} (${command}) belongs to no keeper`)
    }
  }

  /** Of the keeper: a descriptor that a daemon or a run left behind would stay. */
  async #expectDescriptors(most: number): Promise<void> {
    const deadline = Date.now() + 3000
    while (descriptorsOf(this.#keeper) > most && Date.now() < deadline) await sleep(50)
    const now = descriptorsOf(this.#keeper)
    if (now > most) this.#fault(`The keeper has ${now} descriptors, ${now - most} more than before`)
  }

  #expectSuccess({ args, code, stdout, stderr }: CliResult): void {
    if (code !== 0) this.#fault(`"locald ${args.join(' ')}" exited ${code}: ${stdout}${stderr}`)
  }

  #fault(text: string): void {
    this.#faults.push(`${this.#step}: ${text}`)
  }

  #count(phase: string): void {
    this.#kills.set(phase, (this.#kills.get(phase) ?? 0) + 1)
  }

  /** So many different numbers below `limit`. */
  #choose(limit: number, count: number): readonly number[] {
    const all = Array.from({ length: limit }, (_, index) => index)
    while (all.length > count) all.splice(this.#random.below(all.length), 1)
    return all
  }

  get #keeper(): number {
    return keeperPid(this.#harness.home)
  }

  get #socket(): string {
    return join(this.#harness.home, 'run/api.sock')
  }
}

function isUp({ state, health }: ServiceSnapshot): boolean {
  return state === 'running' && health.status === 'healthy'
}

/** Calls back whenever the daemon has written into its journal. */
function watchJournal(home: string, onWritten: () => void): Disposable {
  const watcher = watch(join(home, 'state/journal'), (_, name) => {
    if (name === 'entries.jsonl') onWritten()
  })
  return { [Symbol.dispose]: () => watcher.close() }
}

async function until(isReached: () => boolean): Promise<void> {
  const deadline = Date.now() + settledWithinMs
  while (!isReachedOrThrows(isReached)) {
    if (Date.now() > deadline) throw new Error(`Not reached within ${settledWithinMs} ms: ${isReached.toString()}`)
    await sleep(2)
  }
}

/** The keeper's lock may not be there yet. */
function isReachedOrThrows(isReached: () => boolean): boolean {
  try {
    return isReached()
  } catch {
    return false
  }
}
