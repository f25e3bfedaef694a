// What `doctor` asks: whether every store still trusts our CAs. Changes nothing.
import type { TrustReport } from '@locald/protocol'
import type { Authorities } from '../certificates/authorities.ts'
import { findStores } from './find-stores.ts'
import { surveyStores } from './survey.ts'
import { readTrustFile } from './trust-file.ts'
import type { TrustPlace } from './trust-place.ts'
import { trustReport } from './trust-report.ts'

/**
 * By handshakes made now, of the scope that `locald trust` was last called with. Null when there is no CA yet: nobody has
 * needed one, which is no fault. Rejects with `directory_refused` when the CAs cannot be read.
 */
export async function checkTrust(
  authorities: Authorities,
  trustFile: string,
  place: TrustPlace,
): Promise<TrustReport | null> {
  const all = await authorities.all()
  if (all.length === 0) return null
  const scope = (await readTrustFile(trustFile))?.scope ?? 'all'
  const surveys = await surveyStores(await findStores(place, scope), authorities, all)
  return trustReport({ authorities: all, surveys, scope })
}
