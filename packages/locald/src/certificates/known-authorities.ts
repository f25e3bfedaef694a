// The certificate authorities that an installation has, for whoever issues nothing.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ownDirectory } from '../lib/own-directory.ts'
import { readAuthorities } from './authority-files.ts'
import type { StoredAuthorities } from './authority-files.ts'
import { covers } from './authority.ts'
import type { Authority } from './authority.ts'
import { writeBundle } from './ca-bundle.ts'

/** A CA that ends sooner leaves issuing to its successor. */
const retiredBeforeMs = 90 * 24 * 60 * 60_000

export class KnownAuthorities {
  protected readonly directory: string
  protected readonly now: () => number
  /** What was read last, with what the directory looked like then. */
  #known: { readonly stamp: string; readonly authorities: readonly Authority[] } | null = null

  /** Touches nothing yet. `now`: milliseconds since the epoch; default the system's clock. */
  constructor(directory: string, now: () => number = Date.now) {
    this.directory = directory
    this.now = now
  }

  /** All own CA certificates in one file, for `NODE_EXTRA_CA_CERTS`; there since the first was made. */
  get rootsFile(): string {
    return join(this.directory, 'roots.pem')
  }

  /**
   * Those that exist and have not ended, oldest first; makes none and changes nothing. Rejects with `directory_refused` when
   * they cannot be read.
   */
  async all(): Promise<readonly Authority[]> {
    return (await this.read()).authorities
  }

  /** `all`, and those that have ended: for whoever looks for what is wrong, or takes away what was put somewhere. */
  async withEnded(): Promise<readonly Authority[]> {
    return (await readAuthorities(this.directory)).authorities
  }

  /** The CA that issues for this name, null when none covers it. Of several, the oldest, which is the most widely trusted. */
  async issuerFor(host: string): Promise<Authority | null> {
    return (await this.issuers())(host)
  }

  /** `issuerFor` as it is now, for any name. */
  async issuers(): Promise<(host: string) => Authority | null> {
    const known = await this.#knownOnes()
    return (host) => this.issuerAmong(known, host) ?? null
  }

  /** The system's CAs and our own in one file, for `SSL_CERT_FILE`; made or refreshed by asking, once a first was made. */
  async bundleFile(): Promise<string> {
    const path = join(this.directory, 'bundle.pem')
    ownDirectory(this.directory)
    await writeBundle(path, await this.all())
    return path
  }

  protected async read(): Promise<StoredAuthorities> {
    const all = await readAuthorities(this.directory)
    return { ...all, authorities: all.authorities.filter(({ notAfter }) => notAfter > this.now()) }
  }

  protected issuerAmong(authorities: readonly Authority[], name: string): Authority | undefined {
    const able = authorities.filter((authority) => covers(authority, name))
    return able.find(({ notAfter }) => notAfter > this.now() + retiredBeforeMs) ?? able.at(-1)
  }

  /** Read anew only when one was added or removed: it is asked for at every new connection. */
  async #knownOnes(): Promise<readonly Authority[]> {
    const stamp = await stampOf(this.directory)
    if (this.#known?.stamp !== stamp) this.#known = { stamp, authorities: await this.all() }
    return this.#known.authorities.filter(({ notAfter }) => notAfter > this.now())
  }
}

/** Changes when a directory in it is made, renamed or removed. */
async function stampOf(directory: string): Promise<string> {
  const facts = await stat(directory, { bigint: true }).catch(() => null)
  return facts === null ? '' : `${facts.ino} ${facts.mtimeNs}`
}
