// Which CAs which stores trust, found out by real handshakes.
import type { Authorities } from '../certificates/authorities.ts'
import type { Authority } from '../certificates/authority.ts'
import { openProbe } from './probe.ts'
import type { TrustStore } from './trust-store.ts'

export interface StoreSurvey {
  readonly store: TrustStore
  readonly results: readonly Verdict[]
}

interface Verdict {
  readonly authority: Authority
  /** Null: a client of this store accepted it. Else what that said. */
  readonly fault: string | null
}

/** Changes nothing. */
export async function surveyStores(
  stores: readonly TrustStore[],
  authorities: Authorities,
  wanted: readonly Authority[],
): Promise<readonly StoreSurvey[]> {
  const surveys = stores.map((store) => ({ store, results: new Array<Verdict>() }))
  for (const authority of wanted) {
    await using probe = await openProbe(authorities, authority)
    await Promise.all(
      surveys.map(async ({ store, results }) => {
        results.push({ authority, fault: await store.verify(authority, probe) })
      }),
    )
  }
  return surveys
}

export function isVerified({ results }: StoreSurvey): boolean {
  return results.every(({ fault }) => fault === null)
}
