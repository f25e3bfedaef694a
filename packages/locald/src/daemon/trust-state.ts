// Which addresses are https: those of names that have a certificate of a CA that was seen to be trusted.
import { KnownAuthorities } from '../certificates/known-authorities.ts'
import { isTrusted, readTrustFile } from '../trust/trust-file.ts'

export interface TrustStateOptions {
  /** Directory of the certificate authorities. */
  readonly authorities: string
  /** What `locald trust` has verified. */
  readonly trustFile: string
  readonly onChange: () => void
}

export class TrustState {
  readonly #options: TrustStateOptions
  readonly #authorities: KnownAuthorities
  #isTrusted: (host: string) => boolean = () => false
  #asked = ''
  #last = Promise.resolve()

  constructor(options: TrustStateOptions) {
    this.#options = options
    this.#authorities = new KnownAuthorities(options.authorities)
  }

  /** Of a name, or of all that a wildcard stands for, as it was when this looked last. */
  isTrusted(host: string): boolean {
    return this.#isTrusted(host.replace(/^\*\./, ''))
  }

  /** The file with the certificates of all own authorities; there once the first was made. */
  get rootsFile(): string {
    return this.#authorities.rootsFile
  }

  /** The system's authorities and our own in one file, made or refreshed by asking. */
  async bundleFile(): Promise<string> {
    return await this.#authorities.bundleFile()
  }

  /** Looks again when other names than before are in use. `now`: in any case. */
  async look(hosts: readonly string[], { now = false } = {}): Promise<void> {
    const asked = [...hosts].sort().join(' ')
    if (asked === this.#asked && !now) return
    this.#asked = asked
    this.#last = this.#last.then(() => this.#verify(hosts))
    await this.#last
  }

  async #verify(hosts: readonly string[]): Promise<void> {
    const trusted = (): string => hosts.filter((host) => this.isTrusted(host)).join(' ')
    const before = trusted()
    this.#isTrusted = await this.#read()
    if (trusted() !== before) this.#options.onChange()
  }

  async #read(): Promise<(host: string) => boolean> {
    const verified = await readTrustFile(this.#options.trustFile)
    // On most machines nothing more has to be read.
    if (verified === null) return () => false
    const issuerFor = await this.#authorities.issuers()
    return (host) => {
      const issuer = issuerFor(host)
      return issuer !== null && isTrusted([issuer], verified)
    }
  }
}
