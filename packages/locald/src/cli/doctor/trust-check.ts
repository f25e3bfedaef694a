// What the doctor asks of certificate authorities, and of the stores that ought to trust them.
import { Authorities } from '../../certificates/authorities.ts'
import type { Authority } from '../../certificates/authority.ts'
import { fine, note, warning } from '../../admin/doctor/verdict.ts'
import type { Verdict } from '../../admin/doctor/verdict.ts'
import type { Installation } from '../../lib/installation.ts'
import { checkTrust } from '../../trust/check-trust.ts'
import { readTrustFile } from '../../trust/trust-file.ts'
import { trustPlaceFor } from '../../trust/trust-place.ts'
import type { CommandContext } from '../command.ts'

/** None before the first use. */
export async function readAuthorities({ authorities }: Installation): Promise<readonly Authority[]> {
  return await Authorities.open(authorities).all()
}

/** By handshakes: one verdict for each store that refuses. */
export async function checkTrustStores({ installation, env }: CommandContext): Promise<readonly Verdict[]> {
  const { authorities, trustFile } = installation
  const report = await checkTrust(Authorities.open(authorities), trustFile, trustPlaceFor(env))
  if (report === null) return [fine('There is no certificate authority yet: nothing was served by name')]
  if (report.trusted) return [fine(`${report.stores.map(({ label }) => label).join(', ')}: trusted, by a handshake`)]
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
