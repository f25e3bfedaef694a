// Which certificate a handshake gets, so that nobody who makes up names can have ever more of them made.
import type { SecureContext } from 'node:tls'
import { TokenBucket } from '../lib/token-bucket.ts'
import type { Authorities } from './authorities.ts'
import { LeafCache } from './leaf-cache.ts'
import type { LeafCacheOptions } from './leaf-cache.ts'

/** For names that a wildcard stands for and no certificate can: as many are kept, and no more made than these. */
const guests = { capacity: 50, burst: 20, perSecond: 2 }

export interface HostCertificatesOptions extends Pick<LeafCacheOptions, 'now' | 'onRenewalFailed'> {
  /** See `TokenBucketOptions`. */
  readonly clock?: () => number
}

export class HostCertificates {
  /** For names that are in use, which are as many as they are. */
  readonly #own: LeafCache
  readonly #guests: LeafCache
  readonly #budget: TokenBucket

  constructor(authorities: Authorities, { clock, ...options }: HostCertificatesOptions = {}) {
    this.#own = new LeafCache(authorities, options)
    this.#guests = new LeafCache(authorities, { ...options, capacity: guests.capacity })
    this.#budget = new TokenBucket({ ...guests, ...(clock === undefined ? {} : { now: clock }) })
  }

  /**
   * `isOwn`: the name is in use itself, and gets a certificate of its own. Else one like `*.shop.test` is, which one certificate
   * does for: it is the same for all names. Null: for now there is none, since too many such names were asked for of late. Rejects
   * with UncoveredName when no CA covers it.
   */
  async contextFor(host: string, isOwn: boolean): Promise<SecureContext | null> {
    if (isOwn) return await this.#own.contextFor(host)
    const above = host.slice(host.indexOf('.') + 1)
    if (above.includes('.')) return await this.#own.contextFor(`*.${above}`)
    // Clients refuse `*.test`: there each name has its own.
    if (!this.#guests.has(host) && !this.#budget.take()) return null
    return await this.#guests.contextFor(host)
  }
}
