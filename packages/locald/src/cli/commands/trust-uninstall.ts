// `locald trust --uninstall`: takes our CAs out of every store again.
import { exitCodes } from '@locald/protocol'
import type { TrustRemoval, TrustScope, TrustStoreName } from '@locald/protocol'
import { Authorities } from '../../certificates/authorities.ts'
import { findStores } from '../../trust/find-stores.ts'
import { installedCas, readTrustFile, writeTrustFile } from '../../trust/trust-file.ts'
import type { TrustFile } from '../../trust/trust-file.ts'
import type { TrustPlace } from '../../trust/trust-place.ts'
import { carryOut, describeSteps, planRemoval } from '../../trust/trust-plan.ts'
import type { RemovalStep, TrustStep } from '../../trust/trust-plan.ts'
import type { CommandContext, Invocation } from '../command.ts'

import { renderRemoval, renderSteps } from '../output/trust-words.ts'
import { tellTrustChanged } from '../tell-daemon.ts'

/** What was put into stores, and nothing else, is taken out of all of them. */
export async function uninstallTrust(context: CommandContext, call: Invocation, place: TrustPlace): Promise<number> {
  const { output, installation, isInteractive, now } = context
  const old = await readTrustFile(installation.trustFile)
  const cas = [...(await Authorities.open(installation.authorities, { now }).withEnded()), ...installedCas(old)]
  const steps = await planRemoval(await findStores(place), cas)
  if (steps.length > 0) output.note(renderSteps(describeSteps(steps), output.side.style).join('\n'))
  const isDryRun = call.flag('dry-run')
  const failures = isDryRun
    ? new Map<string, string>()
    : await carryOut(steps, { place, isInteractive: isInteractive() && output.side.isTerminal })
  const left = isDryRun ? steps : await planRemoval(await findStores(place), cas)
  const outcome: TrustRemoval = {
    removed: steps.filter(({ store }) => !left.some((step) => step.store.id === store.id)).map(nameOf),
    left: left.map((step) => ({ ...nameOf(step), reason: failures.get(step.store.id) ?? null })),
    authorities: installation.authorities,
    ...(isDryRun ? { plan: describeSteps(steps) } : {}),
  }
  if (!isDryRun) {
    await writeTrustFile(installation.trustFile, trustFileAfter(left, old?.scope ?? 'all', now()))
    await tellTrustChanged(context)
  }
  if (call.flag('json')) output.printJson(outcome)
  else if (isDryRun) output.note(steps.length === 0 ? 'Nothing is installed' : 'Nothing was changed')
  else output.print(renderRemoval(outcome, output.answer.style).join('\n'))
  return isDryRun || left.length === 0 ? exitCodes.ok : exitCodes.failed
}

function nameOf({ store: { id, label, path } }: TrustStep): TrustStoreName {
  return { id, label, path }
}

/** What was left is remembered, so that it can be removed later. */
function trustFileAfter(left: readonly RemovalStep[], scope: TrustScope, now: number): TrustFile {
  return {
    version: 1,
    verified_at: new Date(now).toISOString(),
    scope,
    trusted: [],
    stores: left.map((step) => ({
      ...nameOf(step),
      verified: [],
      installed: step.cas.map(({ fingerprint, name }) => ({ fingerprint, name })),
    })),
  }
}
