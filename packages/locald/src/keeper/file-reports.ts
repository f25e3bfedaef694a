// What there is to say about the keeper's own files: in its log, and for whoever asks about the server.
import type { Logger } from '../lib/logger.ts'

export class FileReports {
  readonly #logger: Logger
  readonly #warnings: string[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** In words for people, oldest first. */
  get warnings(): readonly string[] {
    return this.#warnings
  }

  /** A file was damaged. May be passed on as a function. */
  readonly onDamaged = (message: string, error?: unknown): void => {
    this.#logger.log('warn', message, { error })
    this.#warnings.push(message)
  }
}
