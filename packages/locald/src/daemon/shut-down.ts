// Ends the daemon: for good with everything it runs, or to be replaced by another under running services.
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocaldError } from '@locald/protocol'
import type { DaemonEvent, LocaldEvent, OrderRequest, RestartRequest } from '@locald/protocol'
import { projectLabel } from '../plan/project-label.ts'
import { isOlderVersion } from '../lib/version-order.ts'
import { version } from '../lib/version.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import type { DaemonParts } from './daemon-parts.ts'

type ShutDownParts = Pick<DaemonParts, 'supervisor' | 'journal' | 'keeper' | 'strays' | 'logger' | 'exit'>

/** Between two questions to the keeper whether nothing runs any more. */
const askAgainMs = 50

/** Begun once, and then hurried at most. */
export class ShutDown {
  readonly #parts: ShutDownParts
  #state: 'none' | 'stopping' | 'stopped' | 'restarting' = 'none'
  #isNow = false
  /** Orders to stop that were given here. */
  readonly #orders = new Set<string>()
  /** What could not be ended, one line for people each. */
  readonly #problems = new Set<string>()

  constructor(parts: ShutDownParts) {
    this.#parts = parts
  }

  get isUnderWay(): boolean {
    return this.#state !== 'none'
  }

  /** Throws for an order that must wait for the next daemon. While services are being stopped, others may hurry that. */
  refuse({ kind }: OrderRequest): void {
    if (this.#state === 'none' || (this.#state === 'stopping' && kind === 'stop')) return
    throw stopping('Cannot take an order: locald is stopping')
  }

  /** Begins to stop everything; returns at once. `now`: with SIGKILL, also what is being stopped already. */
  stop(now: boolean): void {
    if (this.#state === 'restarting') throw stopping('Cannot stop: the daemon is being replaced')
    if (this.#state === 'stopped' || (this.#state === 'stopping' && (!now || this.#isNow))) return
    this.#isNow = now
    if (this.#state === 'stopping') this.#stopProjects()
    else this.#run(this.#stop())
    if (now) this.#parts.strays.kill()
  }

  /** Begins to make room for another daemon. `by`: who asks for it, and which program it would have started. */
  restart(by: RestartRequest | undefined): void {
    if (this.#state !== 'none') throw stopping('Cannot restart: locald is stopping')
    this.#run(this.#restart(by))
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#parts.logger.log('error', 'Cannot shut down', { error })
      this.#state = 'none'
    })
  }

  async #stop(): Promise<void> {
    const { supervisor, journal, keeper, strays, exit } = this.#parts
    this.#state = 'stopping'
    const { stop: unsubscribe } = journal.subscribe(null, (event) => this.#note(event))
    try {
      this.#stopProjects()
      await this.#until(() => !supervisor.isBusy && !isStopOpen(supervisor.state))
    } finally {
      unsubscribe()
    }
    await strays.gone()
    this.#state = 'stopped'
    this.#tell({ problems: [...this.#problems, ...strays.survivors] })
    // It ends only when nothing runs; a daemon that ended before it would count as crashed.
    while ((await keeper.request('shutdown', {})).running > 0) await sleep(askAgainMs)
    exit()
  }

  async #restart(by: RestartRequest | undefined): Promise<void> {
    this.#state = 'restarting'
    this.#tell({})
    const isAsGood = by !== undefined && !isOlderVersion(by.version, version) && existsSync(by.program)
    const program = isAsGood ? { program: by.program } : {}
    await this.#parts.keeper.request('shutdown', { restart: true, ...program })
    this.#parts.exit()
  }

  #stopProjects(): void {
    const { supervisor, journal } = this.#parts
    for (const [project, record] of supervisor.state.projects) {
      const order = `shutdown-${journal.seq}`
      this.#orders.add(order)
      supervisor.stop(project, order, [...record.instances.keys()], this.#isNow)
    }
  }

  #note(event: LocaldEvent): void {
    if (event.type !== 'order.ended' || !this.#orders.delete(event.order) || event.outcome !== 'failed') return
    const plans = [...this.#parts.supervisor.state.projects.values()].map(({ planned }) => planned.plan)
    const plan = plans.find(({ id }) => id === event.project)
    const name = plan === undefined ? event.project : projectLabel(plan, plans)
    for (const problem of event.problems) this.#problems.add(`${name} ${problem}`)
  }

  async #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve) => {
      const { stop } = this.#parts.journal.subscribe(null, () => {
        if (!isSo()) return
        stop()
        resolve()
      })
    })
  }

  #tell(about: Pick<DaemonEvent, 'problems'>): void {
    const { journal } = this.#parts
    journal.append((seq, at) => ({ seq, at, type: 'daemon.stopping', pid: process.pid, version, ...about }), [])
  }
}

/** Its ports may still be looked at, when everything is down. */
function isStopOpen({ orders }: SupervisorState): boolean {
  return [...orders.values()].some(({ kind }) => kind === 'stop')
}

function stopping(message: string): LocaldError {
  return new LocaldError('daemon_stopping', message, { hint: 'Try again in a moment' })
}
