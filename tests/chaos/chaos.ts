// The rounds of chaos: what is asked of locald, when something of it is killed meanwhile, and what has to hold afterwards.
import { existsSync, rmSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LocaldEvent, LogLine, ServiceSnapshot } from '@locald/protocol'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'
import type { CliResult } from '../support/cli.ts'
import { startFollower } from './followers.ts'
import type { Follower } from './followers.ts'
import { checkHealthRecords, checkNumbering, readCounts } from './numbering.ts'
import { startProber } from './prober.ts'
import type { Prober } from './prober.ts'
import { daemonPid, descriptorsOf, isRunning, keeperPid, processesIn } from './processes.ts'
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import { countsDirectory, numbered, unrulyFiles } from './unruly-project.ts'

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
  /** The most lines that a run had written and its keeper took with it. */
  readonly lostWithKeeper: number
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
type KeeperKill = 'keeper' | 'keeper and daemon' | 'keeper during restart' | 'keeper during stop' | 'keeper during up'

/** What is done in a row: after a stop there has to be an `up`. */
const keeperKills: readonly (readonly KeeperKill[])[] = [
  ['keeper'],
  ['keeper and daemon'],
  ['keeper during restart'],
  ['keeper during stop', 'keeper during up'],
]

/** From a fresh daemon to a stop. */
interface Cycle {
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly follower: Follower
  /** Of the keeper, with nothing running. */
  readonly descriptors: readonly string[]
}

/** A fifth crash within a minute would be a crash loop: each keeper sees at most so many. */
const killsOfOneKeeper = 4
const settledWithinMs = 30_000

export class Chaos implements AsyncDisposable {
  readonly #plan: ChaosPlan
  readonly #random: Random
  readonly #harness: Harness = createHarness()
  readonly #project: Project
  readonly #first: Project
  readonly #began = Date.now()
  readonly #kills = new Map<string, number>()
  readonly #faults: string[] = []
  #counts = {
    lines: 0,
    lostWithKeeper: 0,
    followedLines: 0,
    followedEvents: 0,
    answered: 0,
    refused: 0,
    broken: 0,
    looks: 0,
  }
  #worstWaitMs = 0
  #opened: readonly string[] | null = null
  #prober: Prober | null = null
  /** As they were after the last stop: nobody knows of their runs while no daemon is there. */
  #stopped: ReadonlyMap<string, ServiceSnapshot> = new Map()
  #step = ''

  constructor(plan: ChaosPlan) {
    this.#plan = plan
    this.#random = seededRandom(plan.seed)
    this.#project = this.#harness.project(unrulyFiles)
    this.#first = this.#harness.project({ Procfile: 'first: exec sleep 10000\n' })
  }

  get report(): ChaosReport {
    const { lines, lostWithKeeper, followedLines, followedEvents, answered, refused, broken, looks } = this.#counts
    return {
      ...this.#plan,
      phases: [...this.#kills].map(([phase, kills]) => ({ phase, kills })),
      faults: this.#faults,
      lines,
      lostWithKeeper,
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
    const cycle = await this.#begin()
    let descriptors: readonly string[] = []
    for (const [index, phase] of all.entries()) {
      const isKilled = killed.has(index)
      this.#step = `${phase}${isKilled ? ', the daemon killed' : ''}`
      if (isKilled) this.#count(phase)
      if (phase === 'up') {
        await this.#up(isKilled)
        descriptors = this.#descriptors
      } else if (phase === 'steady') await this.#steady(isKilled)
      else if (phase === 'restart') await this.#restart(isKilled)
      else await this.#stop(isKilled)
      await this.#expectDescriptors(phase === 'stop' ? cycle.descriptors : descriptors)
    }
    await this.#end(cycle, true)
    return kills
  }

  /** A locald in which nothing runs yet, with somebody who follows all that will. */
  async #begin(): Promise<Cycle> {
    this.#step = 'before the up'
    rmSync(join(this.#project.directory, countsDirectory), { recursive: true, force: true })
    this.#expectSuccess(await this.#harness.locald(['server', 'start']))
    this.#opened ??= await this.#openedOnce()
    this.#prober ??= startProber(this.#socket)
    const since = Date.now()
    const follower = startFollower(this.#socket, this.#project.directory, { services: numbered, since })
    return { since, follower, descriptors: [...this.#descriptors, ...this.#opened] }
  }

  /** What a keeper opens with its first service and keeps for all others: the second adds nothing. */
  async #openedOnce(): Promise<readonly string[]> {
    const counts: (readonly string[])[] = [this.#descriptors]
    for (const order of ['up', 'stop', 'up', 'stop']) {
      this.#expectSuccess(await this.#first.locald(order))
      if (order === 'stop') counts.push(this.#descriptors)
    }
    const [before = [], once = [], twice = []] = counts
    if (twice.length > once.length) this.#fault(`Each service costs the keeper descriptors: ${twice.join(', ')}`)
    return once.filter((target) => !before.includes(target))
  }

  async #end({ since, follower }: Cycle, isOfOneKeeper: boolean): Promise<void> {
    this.#step = 'after the stop'
    const events = await this.#endFollower(follower, isOfOneKeeper)
    if (isOfOneKeeper) await this.#checkRecords(since, events)
    await this.#checkLines(since, isOfOneKeeper)
    await this.#stopServer()
  }

  async #keeperCycle(kills: number): Promise<void> {
    const cycle = await this.#begin()
    this.#step = 'up before the keeper is killed'
    await this.#up(false)
    const descriptors = this.#descriptors
    let isUp = true
    for (const kind of this.#keeperKills(kills)) {
      if (this.#faults.length > 0) break
      this.#step = `${kind} killed`
      this.#count(kind)
      await this.#killKeeper(kind)
      isUp = kind !== 'keeper during stop'
      await this.#expectDescriptors(isUp ? descriptors : cycle.descriptors)
    }
    this.#step = 'stop after the keeper was killed'
    if (isUp) await this.#stop(false)
    await this.#expectDescriptors(cycle.descriptors)
    await this.#end(cycle, false)
  }

  /** Every kind in turn, in another order each time. */
  #keeperKills(count: number): readonly KeeperKill[] {
    const kinds: KeeperKill[] = []
    while (kinds.length < count) {
      const left = [...keeperKills]
      while (left.length > 0) kinds.push(...left.splice(this.#random.below(left.length), 1).flat())
    }
    return kinds.slice(0, count)
  }

  async #up(isKilled: boolean): Promise<void> {
    const before = this.#stopped
    const running = this.#project.start('up')
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
    await this.#checkStopped()
  }

  async #checkStopped(): Promise<void> {
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
    // Five that are lost within their first second would be a loop of crashes.
    await sleep(1100)
    if (kind !== 'keeper and daemon') this.#prober = startProber(this.#socket)
    if (kind === 'keeper and daemon') {
      const daemon = daemonPid(keeper)
      process.kill(keeper, 'SIGKILL')
      if (daemon !== null) process.kill(daemon, 'SIGKILL')
      this.#expectSuccess(await this.#project.locald('up'))
    } else if (kind === 'keeper') {
      await sleep(this.#random.below(500))
      process.kill(keeper, 'SIGKILL')
    } else {
      const line = kind === 'keeper during restart' ? ['restart'] : [kind === 'keeper during stop' ? 'stop' : 'up']
      const running = this.#project.start(...line)
      await this.#killWithin(kind === 'keeper during restart' ? 2500 : 1200, () => keeper)
      this.#expectSuccess(await running.ended)
    }
    await until(() => this.#keeper !== keeper)
    if (kind === 'keeper during stop') await this.#checkStopped()
    else await this.#checkRestored(before, kind)
    if (kind !== 'keeper and daemon' && (await this.#pauseProber()) > refusedBefore) {
      this.#fault('Connections were refused when the keeper was lost')
    }
  }

  /** After the keeper was lost everything comes back by itself, or by the order that was under way. */
  async #checkRestored(before: ReadonlyMap<string, ServiceSnapshot>, kind: KeeperKill): Promise<void> {
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
    this.#expectOwned()
    // It may have been lost before anything was started.
    if (kind === 'keeper during up') return
    const { warnings } = await this.#project.status()
    if (!warnings.some((w) => w.includes('keeper was lost'))) this.#fault(`No warning tells of the lost keeper`)
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

  async #endFollower(follower: Follower, isOfOneKeeper: boolean): Promise<readonly LocaldEvent[]> {
    const { lines, events, faults } = await follower.finish()
    this.#counts.followedLines += lines.length
    this.#counts.followedEvents += events.length
    const numbering = checkNumbering(lines, readCounts(this.#project.directory), { keeperWasLost: !isOfOneKeeper })
    for (const fault of [...faults, ...numbering.faults]) this.#fault(`A follower: ${fault}`)
    return events
  }

  /** What locald itself has to say stands among the lines, too. */
  async #checkRecords(since: number, events: readonly LocaldEvent[]): Promise<void> {
    const result = await this.#project.locald('logs', '--json', '--since', new Date(since).toISOString())
    for (const fault of checkHealthRecords(result.jsonLines<LogLine>(), events)) this.#fault(`Recorded: ${fault}`)
  }

  /** What is recorded of the numbered services since then. */
  async #checkLines(since: number, isOfOneKeeper: boolean): Promise<void> {
    const from = new Date(since).toISOString()
    for (const service of numbered) {
      const result = await this.#project.locald('logs', service, '--json', '--since', from)
      const lines = result.jsonLines<LogLine>()
      this.#counts.lines += lines.length
      const counts = readCounts(this.#project.directory).filter((count) => count.service === service)
      const { faults, lostWithKeeper } = checkNumbering(lines, counts, { keeperWasLost: !isOfOneKeeper })
      for (const fault of faults) this.#fault(`Recorded: ${fault}`)
      this.#counts.lostWithKeeper = Math.max(this.#counts.lostWithKeeper, lostWithKeeper)
      if (lines.length < 100) this.#fault(`Only ${lines.length} lines of ${service} were recorded`)
    }
  }

  /**
   * Kills the daemon (or who else is named) at a random moment within so many milliseconds, or in the very moment in which it has written something
   * into its journal and is about to act on it.
   */
  async #killWithin(ms: number, victim = (): number | null => daemonPid(this.#keeper)): Promise<void> {
    const waited = this.#random.below(ms)
    const entries = this.#random.next() < 0.5 ? 1 + this.#random.below(25) : Infinity
    const moment = new AbortController()
    // Looked up before, for a moment does not last.
    let pid: number | null = null
    await until(() => existsSync(join(this.#harness.home, 'state/journal')))
    await until(() => (pid = victim()) !== null)
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
  async #expectDescriptors(before: readonly string[]): Promise<void> {
    const deadline = Date.now() + 3000
    while (this.#descriptors.length > before.length && Date.now() < deadline) await sleep(50)
    const now = this.#descriptors
    if (now.length <= before.length) return
    const added = now.filter((target) => !before.includes(target))
    this.#fault(`The keeper has ${now.length - before.length} descriptors more than before: ${added.join(', ')}`)
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

  /** Of the keeper. Not counted are files of the logs: they stay open for some seconds after the last that was written. */
  get #descriptors(): readonly string[] {
    return descriptorsOf(this.#keeper, { except: join(this.#harness.home, 'state/logs') })
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
