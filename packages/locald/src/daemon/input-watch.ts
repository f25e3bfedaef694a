// Notices when a service has asked something on its terminal and waits for the answer. Looks only after output has ended with
// something like a question: a quiet service costs nothing.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { Logger } from '../lib/logger.ts'
import type { LogFollow } from '../logs/log-reader.ts'
import { rawTail } from '../logs/raw-output.ts'
import { placeOf } from '../supervisor/place.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { isActive, runOf, wantsInput } from '../supervisor/instance.ts'
import type { Instance, Run } from '../supervisor/instance.ts'
import { endsWithPrompt } from './prompt-text.ts'

/** So long nothing was written. */
const quietMs = 1000
/** What is at work behind its prompt may begin to wait without another word: how often that is looked for. */
const laterMs = [2000, 5000, 10_000]
/** Whoever types answers slowly; who writes for longer than that does something else than wait. */
const writingMs = 3000
/** More than a prompt has. */
const promptBytes = 4096

export interface InputWatchOptions {
  readonly supervisor: Supervisor
  readonly keeper: KeeperLink
  /** The folder of all log streams. */
  readonly logs: string
  readonly onGrew: LogFollow['onGrew']
  readonly logger: Logger
}

/** A stream that is going to be looked at. */
interface Look {
  timer: NodeJS.Timeout
  /** The first and the last time that it grew, on the clock of `performance.now()`. */
  readonly since: number
  grewAt: number
}

interface Subject {
  readonly instance: Instance
  readonly run: Run
}

export class InputWatch {
  readonly #options: InputWatchOptions
  readonly #looks = new Map<string, Look>()

  /** Begins with one look at everything that runs: what was written before was seen by another daemon, if by any. */
  constructor(options: InputWatchOptions) {
    this.#options = options
    for (const [project, { instances }] of options.supervisor.state.projects) {
      for (const [key, instance] of instances) if (isActive(instance)) this.look(`${project}/${key}`)
    }
    options.onGrew((stream) => this.look(stream))
  }

  /** Something happened on the terminal of this log stream: looks when it is quiet. Costs next to nothing. */
  look(stream: string): void {
    const known = this.#looks.get(stream)
    const grewAt = performance.now()
    if (known === undefined) this.#looks.set(stream, { since: grewAt, grewAt, timer: this.#wait(stream, quietMs) })
    else known.grewAt = grewAt
  }

  #wait(stream: string, ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#due(stream).catch((error: unknown) => {
        this.#options.logger.log('warn', 'Cannot see whether a service waits for input', { stream, error })
      })
    }, ms)
    timer.unref()
    return timer
  }

  async #due(stream: string): Promise<void> {
    const look = this.#looks.get(stream)
    if (look === undefined) return
    const left = look.grewAt + quietMs - performance.now()
    if (left > 0) {
      const subject = look.grewAt - look.since > writingMs ? this.#subjectOf(stream) : null
      if (subject !== null) this.#report(subject, false)
      look.timer = this.#wait(stream, left)
      return
    }
    this.#looks.delete(stream)
    for (const later of [0, ...laterMs]) {
      await sleep(later, undefined, { ref: false })
      // It has grown meanwhile: the look that this has called for comes later.
      if (this.#looks.has(stream)) return
      const subject = this.#subjectOf(stream)
      if (subject === null) return
      const isWaiting = await this.#isWaiting(stream, subject.run)
      if (this.#looks.has(stream)) return
      this.#report(subject, isWaiting === 'yes')
      if (isWaiting !== 'not yet') return
    }
  }

  /** `no`: nothing was asked. */
  async #isWaiting(stream: string, run: Run): Promise<'yes' | 'not yet' | 'no'> {
    const { logs, keeper } = this.#options
    const { bytes } = await rawTail({ label: '', stream, directory: join(logs, stream) }, run.number, {
      maxBytes: promptBytes,
    })
    if (!endsWithPrompt(bytes.toString('utf8'))) return 'no'
    const { pids } = await keeper.request('readers', { run: run.id })
    return pids.length > 0 ? 'yes' : 'not yet'
  }

  #report({ instance, run }: Subject, isWanted: boolean): void {
    if (wantsInput(instance) !== isWanted) this.#options.supervisor.inputWanted(run.id, isWanted)
  }

  /** Null when nothing runs there, or not on a terminal. */
  #subjectOf(stream: string): Subject | null {
    const [project = '', key = ''] = stream.split('/')
    const record = this.#options.supervisor.state.projects.get(project)
    const instance = record?.instances.get(key)
    if (record === undefined || instance === undefined) return null
    const run = runOf(instance)
    if (run === null || run.identity === null) return null
    return placeOf(record.planned, key)?.service.config.tty === true ? { instance, run } : null
  }
}
