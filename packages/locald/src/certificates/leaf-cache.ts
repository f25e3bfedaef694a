// Certificates for host names, made when a handshake asks for them, kept in memory only, renewed in time.
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { UncoveredName } from './authorities.ts'
import type { Authorities } from './authorities.ts'
import { normalCertifiedName } from './host-suffix.ts'

const dayMs = 24 * 60 * 60_000
/** How long a CA that was taken away may still be seen at work. */
const checkedEveryMs = 1000
/** So that a client whose clock is behind accepts it. */
const backdatedMs = 60 * 60_000

export interface LeafCacheOptions {
  /** Milliseconds since the epoch; default the system's clock. */
  readonly now?: () => number
  /** How long a certificate is valid from now on; renewed after two thirds. Default 60 days. */
  readonly lifeMs?: number
  /** How many names are remembered; beyond that, the one that was not asked for longest is forgotten. Default 500. */
  readonly capacity?: number
  /** Told of a renewal that failed while the old certificate is still valid; default nobody. */
  readonly onRenewalFailed?: (host: string, error: unknown) => void
}

interface Leaf {
  readonly context: SecureContext
  readonly notBefore: number
  readonly renewAt: number
  readonly notAfter: number
  /** Fingerprint of its CA. */
  readonly issuer: string
  /** When it was last seen that this CA would issue it today. */
  checkedAt: number
}

export class LeafCache {
  readonly #authorities: Authorities
  readonly #now: () => number
  readonly #lifeMs: number
  readonly #capacity: number
  readonly #renewalFailed: (host: string, error: unknown) => void
  /** The last one was asked for last. */
  readonly #leaves = new Map<string, Leaf>()
  readonly #underWay = new Map<string, Promise<Leaf>>()

  constructor(authorities: Authorities, options: LeafCacheOptions = {}) {
    this.#authorities = authorities
    this.#now = options.now ?? Date.now
    this.#lifeMs = options.lifeMs ?? 60 * dayMs
    this.#capacity = options.capacity ?? 500
    this.#renewalFailed = options.onRenewalFailed ?? ((): void => undefined)
  }

  /** Whether there is one for this name, or will be in a moment. */
  has(host: string): boolean {
    return this.#leaves.has(host) || this.#underWay.has(host)
  }

  /**
   * A context with a certificate for exactly this name, which may be like `*.shop.test`, valid now. Issues at most once at a time for a name. Rejects with
   * UncoveredName when no CA covers it. Whether a name is in use at all is for the caller to know.
   */
  async contextFor(name: string): Promise<SecureContext> {
    const host = normalCertifiedName(name)
    if (host === null) throw new UncoveredName(name)
    const leaf = this.#leaves.get(host)
    const now = this.#now()
    if (leaf === undefined || now >= leaf.notAfter || now < leaf.notBefore) return (await this.#issue(host)).context
    if (await this.#isFromAnother(host, leaf)) return (await this.#issue(host)).context
    this.#remember(host, leaf)
    if (now >= leaf.renewAt) this.#renew(host)
    return leaf.context
  }

  /** Whether another CA has taken the place of its own since: nobody may trust that one any more. */
  async #isFromAnother(host: string, leaf: Leaf): Promise<boolean> {
    if (Math.abs(this.#now() - leaf.checkedAt) < checkedEveryMs) return false
    leaf.checkedAt = this.#now()
    try {
      const issuer = await this.#authorities.issuerFor(host)
      return issuer !== null && issuer.fingerprint !== leaf.issuer
    } catch {
      return false // what cannot be read now may be the same as before, and the certificate is valid
    }
  }

  /** Handshakes get the old certificate until the new one is there. */
  #renew(host: string): void {
    if (this.#underWay.has(host)) return
    this.#issue(host).catch((error: unknown) => this.#renewalFailed(host, error))
  }

  #issue(host: string): Promise<Leaf> {
    const underWay = this.#underWay.get(host)
    if (underWay !== undefined) return underWay
    const issuing = this.#make(host).finally(() => this.#underWay.delete(host))
    this.#underWay.set(host, issuing)
    return issuing
  }

  async #make(host: string): Promise<Leaf> {
    const now = this.#now()
    const validity = { notBefore: now - backdatedMs, notAfter: now + this.#lifeMs }
    const { certificate, key, notBefore, notAfter, issuer } = await this.#authorities.issue(host, validity)
    const leaf = {
      context: createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' }),
      notBefore,
      renewAt: now + ((notAfter - now) * 2) / 3,
      notAfter,
      issuer: issuer.fingerprint,
      checkedAt: now,
    }
    this.#remember(host, leaf)
    return leaf
  }

  #remember(host: string, leaf: Leaf): void {
    this.#leaves.delete(host)
    this.#leaves.set(host, leaf)
    const [oldest] = this.#leaves.keys()
    if (this.#leaves.size > this.#capacity && oldest !== undefined) this.#leaves.delete(oldest)
  }
}
