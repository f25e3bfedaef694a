// `locald server stop`: services first, then the daemon and the keeper.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes, LocaldError, projectEvent } from '@locald/protocol'
import type { EventSnapshot, LocaldEvent, ProjectStatus } from '@locald/protocol'
import type { ApiClient } from '../../client/api-client.ts'
import { livingKeeper } from '../../client/living-keeper.ts'
import { projectLabel } from '../../plan/project-label.ts'
import { aliveLines } from '../alive-lines.ts'
import { AliveWatch } from '../alive-watch.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { interruptedExit } from '../interrupted.ts'
import { ChangeLines } from '../output/progress.ts'
import { labelIn } from '../output/service-words.ts'
import { askIfThere } from '../without-daemon.ts'

/** Nothing runs any more: it has only to let go of its files. */
const goneWithinMs = 30_000
/** It ends services by itself, one after the other, each within 30 s. */
const keeperEndsWithinMs = 150_000

/** What came of asking. `problems`: what could not be ended. `byKeeper`: services end without the daemon. */
interface Stopped {
  readonly problems: readonly string[]
  readonly byKeeper: boolean
}

export async function serverStop(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const before = await askIfThere(context, (client) => client.server())
  const { daemon, keeper } = before?.value ?? {}
  const pids = before === null ? endKeeper(context) : [daemon?.pid, keeper?.pid].flatMap((pid) => pid ?? [])
  if (pids.length === 0) {
    output.note('The daemon is not running')
    return exitCodes.ok
  }
  const stopped = before === null ? leftToKeeper : await stopDaemon(context, call.flag('now'))
  if (stopped === null) {
    output.note('Detached: stopping goes on in the background. See "locald status --all"')
    return interruptedExit
  }
  const remaining = await remainingProcesses(pids, stopped.byKeeper ? keeperEndsWithinMs : goneWithinMs)
  if (remaining.length === 0) output.note('Stopped the daemon')
  else output.note(`error: Still running: ${remaining.map((pid) => `pid ${pid}`).join(', ')}`)
  reportProblems(context, stopped.problems)
  return remaining.length > 0 || stopped.problems.length > 0 ? exitCodes.failed : exitCodes.ok
}

function reportProblems({ output }: CommandContext, problems: readonly string[]): void {
  if (problems.length === 0) return
  const { style } = output.side
  output.note(`${style.red(style.bold('error:'))} "locald server stop" failed: something is left`)
  for (const problem of problems) output.note(`  ${problem}`)
}

const leftToKeeper: Stopped = { problems: [], byKeeper: true }

/** A daemon that cannot do as it is asked must not keep its services from being stopped. Null: the caller left. */
async function stopDaemon(context: CommandContext, now: boolean): Promise<Stopped | null> {
  try {
    return await new DaemonStop(context, now).run()
  } catch (error) {
    if (!(error instanceof LocaldError)) throw error
    context.output.note(`${context.output.side.style.yellow('warning:')} ${error.message}`)
    endKeeper(context)
    return leftToKeeper
  }
}

/** Asks the daemon to stop and shows what stops, until the daemon has gone. */
class DaemonStop {
  readonly #context: CommandContext
  readonly #client: ApiClient
  readonly #changes = new ChangeLines()
  readonly #leave = new AbortController()
  #now: boolean
  #projects: readonly ProjectStatus[] = []
  #problems: readonly string[] | null = null
  #hurrying: Promise<void> = Promise.resolve()

  constructor(context: CommandContext, now: boolean) {
    this.#context = context
    this.#client = context.client()
    this.#now = now
  }

  /** Null: the caller left. */
  async run(): Promise<Stopped | null> {
    let interrupts = 0
    using _interrupts = this.#context.onInterrupt(() => {
      interrupts += 1
      this.#interrupted(interrupts)
    })
    using _alive = new AliveWatch({
      ask: async () => (await this.#client.processes({}, [])).services,
      onAlive: aliveLines(this.#context),
    })
    // A daemon that is killed meanwhile is followed by one that stops what was being stopped, and does not end by itself.
    do await this.#follow()
    while (this.#problems === null && !this.#leave.signal.aborted && (await this.#isThere()))
    if (this.#problems === null) await this.#hurrying
    return this.#leave.signal.aborted ? null : { problems: this.#problems ?? [], byKeeper: false }
  }

  #interrupted(count: number): void {
    if (count === 1) return this.#context.output.note('Stopping goes on; press Ctrl-C again to kill at once')
    if (count > 2) return this.#leave.abort()
    this.#now = true
    this.#hurrying = this.#client.stopServer({ now: true })
    this.#hurrying.catch(() => {}) // Awaited later, where its failure is reported.
  }

  async #follow(): Promise<void> {
    let isFirst = true
    for await (const event of this.#client.events({}, { isOnce: true, signal: this.#leave.signal })) {
      this.#take(event)
      if (isFirst) await this.#client.stopServer(this.#now ? { now: true } : {})
      this.#show(isFirst)
      isFirst = false
    }
  }

  #take(event: LocaldEvent | EventSnapshot): void {
    if (event.type === 'daemon.stopping') this.#problems = event.problems ?? null
    this.#projects = event.type === 'snapshot' ? event.projects : projectEvent(this.#projects, event)
  }

  #show(isFirst: boolean): void {
    const { output, now } = this.#context
    const all = this.#projects.map((project) => ({ ...project, name: project.project }))
    for (const project of all) {
      const name = projectLabel(project, all)
      for (const snapshot of project.services) {
        const label = `${name} ${labelIn(project.services, snapshot)}`
        if (isFirst) this.#changes.skip(label, snapshot)
        const line = this.#changes.next(label, snapshot, now())
        if (line !== null) output.note(line)
      }
    }
  }

  async #isThere(): Promise<boolean> {
    return (await askIfThere(this.#context, (client) => client.server())) !== null
  }
}

/** Tells a keeper whose daemon is of no help to stop services and itself; returns its pid, if there is one. */
function endKeeper({ installation, output }: CommandContext): readonly number[] {
  const pid = livingKeeper(installation)
  if (pid === null) return []
  output.note('The daemon does not answer as it should; its keeper stops the services')
  // The journal still has them up. Without this the next daemon would bring them back.
  writeFileSync(installation.stoppedMark, '', { mode: 0o600 })
  process.kill(pid, 'SIGTERM')
  return [pid]
}

/** Which of these processes are left after they had some time to go. */
async function remainingProcesses(pids: readonly number[], withinMs: number): Promise<readonly number[]> {
  const deadline = Date.now() + withinMs
  let remaining = pids.filter(isRunning)
  while (remaining.length > 0 && Date.now() < deadline) {
    await sleep(10)
    remaining = remaining.filter(isRunning)
  }
  return remaining
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    // Where nobody reaps orphans (a container without an init), it stays as a zombie.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}
