// `locald trust`: makes browsers and the system trust our CAs, and proves it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitCodes, LocaldError } from '@locald/protocol'
import type { TrustReport, TrustScope } from '@locald/protocol'
import { Authorities } from '../../certificates/authorities.ts'
import type { Authority } from '../../certificates/authority.ts'
import { suffixesFor } from '../../certificates/host-suffix.ts'
import { findStores } from '../../trust/find-stores.ts'
import { surveyStores } from '../../trust/survey.ts'
import type { StoreSurvey } from '../../trust/survey.ts'
import { installedCas, readTrustFile, writeTrustFile } from '../../trust/trust-file.ts'
import type { TrustFile } from '../../trust/trust-file.ts'
import { trustPlaceFor } from '../../trust/trust-place.ts'
import type { TrustPlace } from '../../trust/trust-place.ts'
import { carryOut, describeSteps, installedIn, planTrust } from '../../trust/trust-plan.ts'
import type { TrustStep } from '../../trust/trust-plan.ts'
import { trustFileOf, trustReport } from '../../trust/trust-report.ts'
import type { StoredCa } from '../../trust/trust-store.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { namesToTrust } from '../names-in-use.ts'
import { renderSteps, renderTrust } from '../output/trust-words.ts'
import { tellTrustChanged } from '../tell-daemon.ts'
import { uninstallTrust } from './trust-uninstall.ts'

export async function trust(context: CommandContext, call: Invocation): Promise<number> {
  refuseForOthers(context)
  const place = trustPlaceFor(context.env)
  return call.flag('uninstall') ? await uninstallTrust(context, call, place) : await install(context, call, place)
}

/** The stores of browsers are those of a user: root by sudo would change its own. */
function refuseForOthers({ env }: CommandContext): void {
  if (process.getuid?.() !== 0 || env['SUDO_UID'] === undefined || env['SUDO_UID'] === '0') return
  throw new LocaldError('usage', 'Cannot make browsers of another user trust anything: this runs as root, by sudo', {
    hint: 'Run it as yourself, without sudo: it asks for root where that is needed',
  })
}

async function install(context: CommandContext, call: Invocation, place: TrustPlace): Promise<number> {
  const { output, installation, isInteractive, now } = context
  const scope = scopeOf(call)
  const stores = await findStores(place, scope)
  const suffixes = suffixesFor(await namesToTrust(context))
  await using found = await authoritiesFor(context, suffixes, call.flag('dry-run'))
  const { authorities, all } = found
  const before = await surveyStores(stores, authorities, all)
  const steps = planTrust(before)
  noteSteps(context, steps)
  if (call.flag('dry-run'))
    return reportDryRun(context, call, { steps, report: trustReport({ authorities: all, surveys: before, scope }) })

  const failures = await carryOut(steps, { place, isInteractive: isInteractive() && output.side.isTerminal })
  const surveys = steps.length === 0 ? before : await surveyStores(await findStores(place, scope), authorities, all)
  const old = await readTrustFile(installation.trustFile)
  await writeTrustFile(
    installation.trustFile,
    trustFileOf({ surveys, scope }, { now: now(), old, installed: await installedNow(surveys, all, old) }),
  )
  await tellTrustChanged(context)
  const report = trustReport({ authorities: all, surveys, scope, failures })
  if (call.flag('json')) output.printJson(report)
  else
    output.print(renderTrust(report, { style: output.answer.style, changed: changedIds(steps, failures) }).join('\n'))
  return report.trusted ? exitCodes.ok : exitCodes.failed
}

function scopeOf(call: Invocation): TrustScope {
  if (call.flag('browsers-only') && call.flag('system-only')) {
    throw new LocaldError('usage', 'Cannot use --browsers-only and --system-only at once', {
      hint: 'Leave both out to have browsers and the system trust it',
    })
  }
  return call.flag('browsers-only') ? 'browsers' : call.flag('system-only') ? 'system' : 'all'
}

interface FoundAuthorities extends AsyncDisposable {
  readonly authorities: Authorities
  readonly all: readonly Authority[]
}

/** Makes those that are missing; for a dry run somewhere else, where they are gone afterwards. */
async function authoritiesFor(
  { installation, output, now }: CommandContext,
  suffixes: readonly string[],
  isDryRun: boolean,
): Promise<FoundAuthorities> {
  const warn = (message: string): void => output.note(`${output.side.style.yellow('warning:')} ${message}`)
  const own = Authorities.open(installation.authorities, { now, onWarning: warn })
  const missing = isDryRun ? await own.missing(suffixes) : []
  if (!isDryRun) await own.ensure(suffixes)
  const all = await own.all()
  if (missing.length === 0) return { authorities: own, all, [Symbol.asyncDispose]: async () => {} }
  const directory = await mkdtemp(join(tmpdir(), 'locald-dry-run-'))
  const tried = Authorities.open(directory, { now })
  output.note(`A certificate authority for ${missing.join(', ')} would be made first; its files would have other names`)
  return {
    authorities: own,
    all: [...all, ...(await tried.ensure(missing))],
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }),
  }
}

function noteSteps({ output }: CommandContext, steps: readonly TrustStep[]): void {
  if (steps.length > 0) output.note(renderSteps(describeSteps(steps), output.side.style).join('\n'))
}

function reportDryRun(
  { output }: CommandContext,
  call: Invocation,
  { steps, report }: { readonly steps: readonly TrustStep[]; readonly report: TrustReport },
): number {
  if (call.flag('json')) output.printJson({ ...report, plan: describeSteps(steps) })
  else output.note(steps.length === 0 ? 'Nothing has to be changed' : 'Nothing was changed')
  return exitCodes.ok
}

function changedIds(steps: readonly TrustStep[], failures: ReadonlyMap<string, string>): ReadonlySet<string> {
  return new Set(steps.map(({ store }) => store.id).filter((id) => !failures.has(id)))
}

/** What is there of our CAs, by store; also of those whose own directory is gone. */
async function installedNow(
  surveys: readonly StoreSurvey[],
  authorities: readonly Authority[],
  old: TrustFile | null,
): Promise<ReadonlyMap<string, readonly StoredCa[]>> {
  const installed = new Map<string, readonly StoredCa[]>()
  for (const { store } of surveys) {
    installed.set(store.id, await installedIn(store, [...authorities, ...installedCas(old)]))
  }
  return installed
}
