// While services are being stopped: who is still alive of them.
import { LocaldError } from '@locald/protocol'
import type { ServiceProcesses } from '@locald/protocol'
import type { AliveProcesses } from './output/progress.ts'

const askEveryMs = 1000

export interface AliveWatchOptions {
  readonly ask: () => Promise<readonly ServiceProcesses[]>
  /** Called with those that are ending, after each answer that has any. */
  readonly onAlive: (ending: readonly (ServiceProcesses & { readonly since: number })[]) => void
}

/** Asks once a second, beginning after the first: most services have stopped by then. */
export class AliveWatch implements Disposable {
  readonly #options: AliveWatchOptions
  readonly #timer: NodeJS.Timeout
  #alive: ReadonlyMap<string, AliveProcesses> = new Map()
  #isAsking = false

  constructor(options: AliveWatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => {
      this.#look().catch((error: unknown) => {
        // It is an illustration; whatever is wrong is told by the order itself.
        if (!(error instanceof LocaldError)) throw error
      })
    }, askEveryMs)
  }

  /** Null when it is not known, or not ending. */
  of(label: string): AliveProcesses | null {
    return this.#alive.get(label) ?? null
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const answer = await this.#options.ask()
      const ending = answer.flatMap((each) =>
        each.stopping_since === null || each.processes.length === 0
          ? []
          : [{ ...each, since: Date.parse(each.stopping_since) }],
      )
      this.#alive = new Map(ending.map((each) => [each.service, each]))
      if (ending.length > 0) this.#options.onAlive(ending)
    } finally {
      this.#isAsking = false
    }
  }
}
