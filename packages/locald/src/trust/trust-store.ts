// A place where a browser or the system keeps the CAs that it trusts.
import type { TrustStoreReport } from '@locald/protocol'
import type { Authority } from '../certificates/authority.ts'
import type { Change } from './change.ts'
import type { Probe } from './probe.ts'

/** What a CA is known by in a store. */
export type StoredCa = Pick<Authority, 'fingerprint' | 'name'>

export interface TrustStore {
  /** The same in every run: `system`, `keychain`, or `nss:` and the database's directory. */
  readonly id: string
  readonly kind: TrustStoreReport['kind']
  /** For people: whose it is. */
  readonly label: string
  /** The file or directory that it is. */
  readonly path: string
  /** Why nothing can be changed in it, and what to do about that; null when it can. */
  readonly obstacle: Obstacle | null
  /** Whether this user may not change it. */
  readonly needsRoot: boolean
  /** Whether the CA was put there. */
  has(ca: StoredCa): Promise<boolean>
  /** What has to be there before anything can be added. */
  readonly preparations: readonly Change[]
  additions(authority: Authority): readonly Change[]
  removals(ca: StoredCa): readonly Change[]
  /** What makes additions take effect, once after all of them. */
  readonly refresh: readonly Change[]
  /** The same for removals. */
  readonly refreshAfterRemoval: readonly Change[]
  /** What `verify` does: a handshake, or only asking the store, where it has no client of its own. */
  readonly proof: TrustStoreReport['proof']
  /** Connects to a server of ours as those do who use this store; null when they trust it, else what they say. */
  verify(authority: Authority, probe: Probe): Promise<string | null>
}

export interface Obstacle {
  readonly reason: string
  readonly fix: string
}
