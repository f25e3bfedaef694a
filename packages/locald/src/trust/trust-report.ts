// What is said of the stores, to people, to scripts, to `doctor` and to the daemon.
import type { TrustReport, TrustScope, TrustStoreReport } from '@locald/protocol'
import type { Authority } from '../certificates/authority.ts'
import type { StoreSurvey } from './survey.ts'
import { isVerified } from './survey.ts'
import type { TrustFile } from './trust-file.ts'
import type { StoredCa, TrustStore } from './trust-store.ts'

export interface ReportInputs {
  readonly authorities: readonly Authority[]
  readonly surveys: readonly StoreSurvey[]
  readonly scope: TrustScope
  /** By a store's id: why changing it failed. */
  readonly failures?: ReadonlyMap<string, string>
}

export function trustReport({ authorities, surveys, scope, failures = new Map() }: ReportInputs): TrustReport {
  const trusted = trustedBy(surveys)
  return {
    trusted: authorities.length > 0 && authorities.every(({ fingerprint }) => trusted.includes(fingerprint)),
    scope,
    authorities: authorities.map(({ fingerprint, name, suffixes, notAfter, file }) => ({
      fingerprint,
      name,
      suffixes,
      expires_at: new Date(notAfter).toISOString(),
      file,
      trusted: trusted.includes(fingerprint),
    })),
    stores: surveys.map((survey) => storeReport(survey, failures.get(survey.store.id) ?? null)),
  }
}

export interface FileInputs {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** What was kept until now. */
  readonly old: TrustFile | null
  /** What locald has put into a store and not removed yet, by the store's id. */
  readonly installed: ReadonlyMap<string, readonly StoredCa[]>
}

/** What is kept of it. Of stores that were not looked at, what was put into them, so that it can be removed. */
export function trustFileOf(
  { surveys, scope }: Pick<ReportInputs, 'surveys' | 'scope'>,
  { now, old, installed }: FileInputs,
): TrustFile {
  const others = old?.stores.filter(({ id }) => !surveys.some(({ store }) => store.id === id)) ?? []
  return {
    version: 1,
    verified_at: new Date(now).toISOString(),
    scope,
    trusted: trustedBy(surveys),
    stores: [
      ...surveys.map(({ store: { id, label, path }, results }) => ({
        id,
        label,
        path,
        verified: results.filter(({ fault }) => fault === null).map(({ authority }) => authority.fingerprint),
        installed: (installed.get(id) ?? []).map(({ fingerprint, name }) => ({ fingerprint, name })),
      })),
      ...others.filter((store) => store.installed.length > 0).map((store) => ({ ...store, verified: [] })),
    ],
  }
}

/** Fingerprints of the CAs that every store accepted; none without a store. */
function trustedBy(surveys: readonly StoreSurvey[]): string[] {
  const [first] = surveys
  const candidates = first?.results.map(({ authority }) => authority.fingerprint) ?? []
  return candidates.filter((fingerprint) =>
    surveys.every(({ results }) =>
      results.some(({ authority, fault }) => authority.fingerprint === fingerprint && fault === null),
    ),
  )
}

function storeReport(survey: StoreSurvey, failure: string | null): TrustStoreReport {
  const { store, results } = survey
  const { id, kind, label, path, proof } = store
  const bad = results.find(({ fault }) => fault !== null)
  if (isVerified(survey) || bad === undefined) {
    return { id, kind, label, path, proof, trusted: true, reason: null, fix: null }
  }
  const reason = store.obstacle?.reason ?? failure ?? bad.fault
  return { id, kind, label, path, proof, trusted: false, reason, fix: fixFor(store, bad.authority, failure) }
}

function fixFor({ kind, obstacle, path }: TrustStore, { file, name }: Authority, failure: string | null): string {
  if (obstacle !== null) return obstacle.fix
  if (failure?.includes('sudo') === true) {
    return 'Run "locald trust" on a terminal as a user who may use sudo, or be content with browsers: locald trust --browsers-only'
  }
  if (kind === 'nss' && failure?.includes('PASSWORD') === true) {
    return `It has a primary password, which certutil asks for: certutil -A -t C,, -n "${name}" -i "${file}" -d "sql:${path}", then "locald trust"`
  }
  return failure === null ? 'locald trust' : `Import "${file}" there as a certificate authority for websites`
}
