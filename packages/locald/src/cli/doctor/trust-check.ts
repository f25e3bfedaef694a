// What the doctor asks of certificate authorities, and of the stores that ought to trust them.
import type { TrustStoreReport } from '@locald/protocol'
import { Authorities } from '../../certificates/authorities.ts'
import type { Authority } from '../../certificates/authority.ts'
import { fine, note, warning } from '../../admin/doctor/verdict.ts'
import type { Verdict } from '../../admin/doctor/verdict.ts'
import type { Installation } from '../../lib/installation.ts'
import { checkTrust } from '../../trust/check-trust.ts'
import { readTrustFile } from '../../trust/trust-file.ts'
import { trustPlaceFor } from '../../trust/trust-place.ts'
import type { CommandContext } from '../command.ts'
import { proofWords } from '../output/trust-words.ts'

/** None before the first use. Those that have ended are among them. */
export async function readAuthorities({ authorities }: Installation): Promise<readonly Authority[]> {
  return await Authorities.open(authorities).withEnded()
}

async function withoutAuthority(installation: Installation): Promise<Verdict> {
  if ((await readAuthorities(installation)).length === 0)
    return fine('There is no certificate authority yet: nothing was served by name')
  const explanation = 'Nothing that it signed is accepted any more, so that services are served by plain HTTP.'
  return warning('Every certificate authority has expired', { explanation, fix: 'locald trust' })
}

/** One for each way in which it was found out. */
export function trustedVerdicts(stores: readonly TrustStoreReport[]): readonly Verdict[] {
  return (['handshake', 'statement'] as const).flatMap((proof) => {
    const labels = stores.filter((store) => store.proof === proof).map(({ label }) => label)
    return labels.length === 0 ? [] : [fine(`Trusted by ${labels.join(', ')}: ${proofWords(proof)}`)]
  })
}

/** By handshakes: one verdict for each store that refuses. */
export async function checkTrustStores({ installation, env }: CommandContext): Promise<readonly Verdict[]> {
  const { authorities, trustFile } = installation
  const report = await checkTrust(Authorities.open(authorities), trustFile, trustPlaceFor(env))
  if (report === null) return [await withoutAuthority(installation)]
  if (report.trusted) return trustedVerdicts(report.stores)
  if ((await readTrustFile(trustFile)) === null) {
    const explanation = 'Services are served by plain HTTP until browsers trust what locald signs. It is one step.'
    return [note('HTTPS is not set up', { explanation, fix: 'locald trust' })]
  }
  const refusing = report.stores.filter(({ trusted }) => !trusted)
  return refusing.map(({ label, reason, fix }) =>
    warning(`${label} does not trust locald`, {
      explanation: `Its users see a warning instead of the page. It said: ${reason ?? 'nothing'}.`,
      fix: fix ?? 'locald trust',
    }),
  )
}
