// What `locald trust --json` prints: who trusts our certificate authorities.

/** Which stores have to trust a CA before it counts as trusted. */
export type TrustScope = 'all' | 'browsers' | 'system'

export interface TrustReport {
  /** Every store of the scope accepts certificates of every CA, and there is a store. */
  readonly trusted: boolean
  readonly scope: TrustScope
  readonly authorities: readonly TrustAuthority[]
  readonly stores: readonly TrustStoreReport[]
  /** Only of a dry run: what would be changed. */
  readonly plan?: readonly TrustPlanStep[]
}

export interface TrustAuthority {
  /** SHA-256 of its certificate, in lower-case hexadecimal digits. */
  readonly fingerprint: string
  readonly name: string
  /** The names it can issue for, with all below them. */
  readonly suffixes: readonly string[]
  readonly expires_at: string
  /** Its certificate as a file, for stores that locald does not know. */
  readonly file: string
  /** By every store of the scope. */
  readonly trusted: boolean
}

export interface TrustStoreReport {
  /** `system`, `keychain`, or `nss:` and a directory. */
  readonly id: string
  readonly kind: 'system' | 'nss' | 'keychain'
  /** Whose it is, for people. */
  readonly label: string
  readonly path: string
  /** How that was found out: a client of the store accepted a certificate, or the store itself says that it is good for servers. */
  readonly proof: 'handshake' | 'statement'
  readonly trusted: boolean
  /** Why not, and what to do about it; null when it is trusted. */
  readonly reason: string | null
  readonly fix: string | null
}

export interface TrustPlanStep {
  /** The store. */
  readonly title: string
  /** What is done to it, a line each. */
  readonly lines: readonly string[]
}

/** What `locald trust --uninstall --json` prints. */
export interface TrustRemoval {
  readonly removed: readonly TrustStoreName[]
  /** Where something of ours is still. */
  readonly left: readonly (TrustStoreName & { readonly reason: string | null })[]
  /** The directory of the CAs themselves, which stays. */
  readonly authorities: string
  /** Only of a dry run: what would be changed. */
  readonly plan?: readonly TrustPlanStep[]
}

export type TrustStoreName = Pick<TrustStoreReport, 'id' | 'label' | 'path'>
