// The certificate authorities of an installation: made on first use, one for each set of suffixes that came into use; they issue.
import { readFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { ownDirectory } from '../lib/own-directory.ts'
import { readKeyPair, removeAbandoned, setAside, storeAuthority, tightenKeys } from './authority-files.ts'
import type { StoredAuthorities } from './authority-files.ts'
import { covers } from './authority.ts'
import type { Authority } from './authority.ts'
import { normalCertifiedName, normalHost, widest } from './host-suffix.ts'
import { issueAuthority, issueLeaf } from './issue.ts'
import type { KeyPair, Validity } from './issue.ts'
import { KnownAuthorities } from './known-authorities.ts'

const dayMs = 24 * 60 * 60_000
const authorityLifeMs = 3_650 * dayMs
/** So that a clock that is set back a little does not make it invalid. */
const backdatedMs = dayMs
/** A CA that ends sooner gets a successor beside it, which can be trusted in the meantime. */
const renewedBeforeMs = 180 * dayMs
/** Two processes that keep finding the same number taken would be a bug. */
const maxAttempts = 20

export interface AuthoritiesOptions {
  /** Milliseconds since the epoch; default the system's clock. */
  readonly now?: () => number
  /** Told what was set aside or mended; default nobody. */
  readonly onWarning?: (message: string) => void
}

export interface IssuedLeaf extends KeyPair, Validity {
  readonly issuer: Authority
}

/** A name that no CA may issue for: nobody has called `ensure` for it. */
export class UncoveredName extends Error {
  constructor(host: string) {
    super(`No certificate authority covers "${host}"`)
    this.name = 'UncoveredName'
  }
}

export class Authorities extends KnownAuthorities {
  readonly #warn: (message: string) => void

  /** Touches nothing yet. `directory` is made at first use, for its owner alone. */
  static open(directory: string, options: AuthoritiesOptions = {}): Authorities {
    return new Authorities(directory, options)
  }

  private constructor(directory: string, { now, onWarning }: AuthoritiesOptions) {
    super(directory, now)
    this.#warn = onWarning ?? ((): void => undefined)
  }

  /**
   * Makes a CA for suffixes that none covers yet, or none for long enough; resolves with those that issue for them. What is
   * damaged is set aside with a warning: its successor has to be trusted anew.
   */
  async ensure(suffixes: readonly string[]): Promise<readonly Authority[]> {
    for (const suffix of suffixes) {
      if (normalHost(suffix) !== suffix) throw new Error(`"${suffix}" is not a suffix of host names`)
    }
    ownDirectory(this.directory)
    await removeAbandoned(this.directory, Date.now())
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const { authorities, next } = await this.#mended()
      const missing = suffixes.filter((suffix) => !this.#isCoveredForLong(authorities, suffix))
      if (missing.length === 0) {
        await this.#writeRoots()
        return unique(suffixes.flatMap((suffix) => this.issuerAmong(authorities, suffix) ?? []))
      }
      await storeAuthority(this.directory, next, await issueAuthority(owner(), widest(missing), this.#validity()))
    }
    throw new Error(`Cannot store a certificate authority in "${this.directory}": other processes keep doing so`)
  }

  /** What `ensure` would make another CA for, of these; changes nothing. */
  async missing(suffixes: readonly string[]): Promise<readonly string[]> {
    const { authorities } = await this.read()
    return widest(suffixes.filter((suffix) => !this.#isCoveredForLong(authorities, suffix)))
  }

  /** A certificate for exactly this name, or for all that a wildcard stands for, at most as long as its CA, which is `issuerFor(host)` by default. Rejects with UncoveredName. */
  async issue(host: string, validity: Validity, by?: Authority): Promise<IssuedLeaf> {
    const issuer = by ?? (await this.issuerFor(host))
    if (normalCertifiedName(host) !== host || issuer === null || !covers(issuer, host)) throw new UncoveredName(host)
    const limited = { ...validity, notAfter: Math.min(validity.notAfter, issuer.notAfter) }
    return { ...(await issueLeaf(await readKeyPair(issuer), host, limited)), ...limited, issuer }
  }

  /** What is there after what is damaged was set aside and what others could read was closed. */
  async #mended(): Promise<StoredAuthorities> {
    const found = await this.read()
    for (const one of found.damaged) {
      const aside = await setAside(one, this.now())
      if (aside === null) continue
      this.#warn(
        `The certificate authority in "${one.directory}" is damaged (${one.reason}) and was set aside as "${aside}": if another one takes its place, that needs "locald trust" again`,
      )
    }
    for (const key of await tightenKeys(found.authorities)) {
      this.#warn(
        `The key "${key}" could be read by other users until now: if that matters here, run "locald trust --uninstall", remove "${this.directory}" and run "locald trust"`,
      )
    }
    return found.damaged.length === 0 ? found : await this.read()
  }

  #isCoveredForLong(authorities: readonly Authority[], suffix: string): boolean {
    const until = this.now() + renewedBeforeMs
    return authorities.some((authority) => covers(authority, suffix) && authority.notAfter > until)
  }

  #validity(): Validity {
    const now = this.now()
    return { notBefore: now - backdatedMs, notAfter: now + authorityLifeMs }
  }

  /** Read again after writing: another process may have added one in between, and would have written its own list. */
  async #writeRoots(): Promise<void> {
    for (;;) {
      const text = (await this.all()).map(({ certificate }) => certificate).join('')
      if ((await readFile(this.rootsFile, 'utf8').catch(() => null)) === text) return
      await writeFileAtomic(this.rootsFile, text, 0o644)
    }
  }
}

/** `user@host`, as far as the system tells. */
function owner(): string {
  const text = `${userName()}@${hostname().split('.')[0] ?? ''}`
  return text.replaceAll(/[^\x21-\x7e]/gu, '?')
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'user') // an id without an entry among the system's users
  }
}

function unique<Item>(items: readonly Item[]): readonly Item[] {
  return [...new Set(items)]
}
