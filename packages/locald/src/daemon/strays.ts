// Runs of the keeper that no record knows (the journal was set aside, and no configuration names them any more). They are being
// ended, and only here is known that they are not gone yet.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceProcesses } from '@locald/protocol'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { Fact, RunInfo } from '../keeper/protocol.ts'
import type { Logger } from '../lib/logger.ts'
import { remainingSurvivors } from './survivors.ts'

/** The keeper reads the table of all processes for each look. */
const lookAgainMs = 100

export class Strays {
  readonly #keeper: Pick<KeeperLink, 'request'>
  readonly #logger: Logger
  readonly #since = new Date().toISOString()
  /** What each is called, by run id. */
  readonly #names = new Map<string, string>()
  readonly #left: { readonly name: string; readonly survivor: string }[] = []

  constructor(keeper: Pick<KeeperLink, 'request'>, logger: Logger) {
    this.#keeper = keeper
    this.#logger = logger
  }

  /** Before any fact of them. */
  add(runs: readonly RunInfo[]): void {
    for (const { run, tag } of runs) this.#names.set(run, typeof tag['service'] === 'string' ? tag['service'] : run)
  }

  /** Every fact of the keeper; those of other runs are passed over. */
  fact(fact: Fact): void {
    const name = this.#names.get(fact.run)
    if (fact.type !== 'emptied' || name === undefined) return
    this.#names.delete(fact.run)
    for (const { pid, command, reason } of fact.survivors) {
      this.#left.push({ name, survivor: `${pid} (${command}): ${reason}` })
    }
  }

  /** Those that could not be ended and are still there, one line for people each. */
  get survivors(): readonly string[] {
    const remaining = new Set(remainingSurvivors(this.#left.map(({ survivor }) => survivor)))
    const left = this.#left.filter(({ survivor }) => remaining.has(survivor))
    return left.map(({ name, survivor }) => `${name}: left over: ${survivor}`)
  }

  /** Who is alive of them. */
  async processes(): Promise<readonly ServiceProcesses[]> {
    const found = [...this.#names].map(async ([run, service]): Promise<ServiceProcesses> => {
      const { members: processes } = await this.#keeper.request('members', { run })
      return { service, state: 'stopping', stopping_since: this.#since, processes }
    })
    return await Promise.all(found)
  }

  /** With SIGKILL, at once. */
  kill(): void {
    for (const run of this.#names.keys()) {
      this.#keeper
        .request('end', { run, signal: 'SIGKILL', scope: 'group', timeoutMs: 0 })
        .catch((error: unknown) => this.#logger.log('warn', 'Cannot kill a run that is not in the journal', { error }))
    }
  }

  /** When none is left, or what is left was given up. */
  async gone(): Promise<void> {
    while ((await this.processes()).some(({ processes }) => processes.length > 0)) await sleep(lookAgainMs)
  }
}
