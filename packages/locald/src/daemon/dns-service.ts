// The DNS server of this daemon, where somebody has asked for one.
import type { DnsServer } from '../admin/dns-server.ts'
import { readDnsSetup } from '../admin/dns-setup.ts'
import type { DnsSetup } from '../admin/resolved-drop-in.ts'
import type { Logger } from '../lib/logger.ts'

export interface DnsOptions {
  /** See `Installation.dnsSetup`. */
  readonly file: string
  readonly logger: Logger
}

export class DnsService {
  readonly #options: DnsOptions
  #served: { readonly setup: DnsSetup; readonly server: DnsServer } | null = null
  #trouble: string | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: DnsOptions) {
    this.#options = options
  }

  /** Why names that were asked for are not answered; null: they are, or none were. */
  get trouble(): string | null {
    return this.#trouble
  }

  /** Serves what is asked for by now, until it is called again. Resolves with whether anything is answered. */
  look(): Promise<boolean> {
    const looked = this.#last.then(async () => await this.#follow(await readDnsSetup(this.#options.file)))
    this.#last = looked.catch(() => false)
    return looked
  }

  async #follow(setup: DnsSetup | null): Promise<boolean> {
    if (this.#served !== null && isSame(this.#served.setup, setup)) return true
    await this.#served?.server[Symbol.asyncDispose]()
    this.#served = null
    this.#trouble = null
    if (setup === null) return false
    const { logger } = this.#options
    try {
      const { DnsServer } = await import('../admin/dns-server.ts')
      this.#served = { setup, server: await DnsServer.open(setup, logger) }
      logger.log('info', 'Answering DNS', { ...setup })
    } catch (error) {
      // A port that is taken costs these names, and nothing else.
      const reason = error instanceof Error ? error.message : String(error)
      this.#trouble = `Names below ${setup.suffixes.join(', ')} are not answered: ${reason}`
      logger.log('warn', this.#trouble, { error })
    }
    return this.#served !== null
  }
}

function isSame(one: DnsSetup, other: DnsSetup | null): boolean {
  return one.port === other?.port && one.suffixes.join() === other.suffixes.join()
}
