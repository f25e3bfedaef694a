// What has to be done to the stores, and doing it.
import type { TrustPlanStep } from '@locald/protocol'
import { runBySudo } from '../lib/sudo.ts'
import type { Change } from './change.ts'
import { describeChange, makeChange, scriptOf } from './change.ts'
import type { StoreSurvey } from './survey.ts'
import type { TrustPlace } from './trust-place.ts'
import type { StoredCa, TrustStore } from './trust-store.ts'

/** All that is done to one store. */
export interface TrustStep {
  readonly store: TrustStore
  readonly changes: readonly Change[]
  /** What removes it again when it failed half-way. */
  readonly undo: readonly Change[]
}

/** With those that it removes. */
export interface RemovalStep extends TrustStep {
  readonly cas: readonly StoredCa[]
}

/** What makes every store trust every CA. Stores that do so already, or that nothing can be changed in, have no step. */
export function planTrust(surveys: readonly StoreSurvey[]): readonly TrustStep[] {
  return surveys.flatMap(({ store, results }) => {
    const missing = results.filter(({ fault }) => fault !== null).map(({ authority }) => authority)
    if (missing.length === 0 || store.obstacle !== null) return []
    const additions = missing.flatMap((authority) => store.additions(authority))
    return [
      {
        store,
        changes: [...store.preparations, ...additions, ...store.refresh],
        undo: store.kind === 'nss' ? missing.flatMap((authority) => store.removals(authority)) : [],
      },
    ]
  })
}

/** What removes from every store those of the CAs that were put there, and nothing else. */
export async function planRemoval(
  stores: readonly TrustStore[],
  cas: readonly StoredCa[],
): Promise<readonly RemovalStep[]> {
  const steps: RemovalStep[] = []
  for (const store of stores) {
    const there = await installedIn(store, cas)
    if (there.length === 0) continue
    const changes = [...there.flatMap((ca) => store.removals(ca)), ...store.refreshAfterRemoval]
    steps.push({ store, changes, undo: [], cas: there })
  }
  return steps
}

/** Those of the CAs that were put into this store, each once. */
export async function installedIn(store: TrustStore, cas: readonly StoredCa[]): Promise<readonly StoredCa[]> {
  const there: StoredCa[] = []
  for (const ca of new Map(cas.map((each) => [each.fingerprint, each])).values()) {
    if (await store.has(ca)) there.push(ca)
  }
  return there
}

/** For people, without the words for each line: store by store. */
export function describeSteps(steps: readonly TrustStep[]): readonly TrustPlanStep[] {
  return steps.map(({ store, changes }) => ({
    title: `${store.label}: ${store.path}${store.needsRoot && !isRoot() ? ' (needs root)' : ''}`,
    lines: changes.map(describeChange),
  }))
}

export interface CarryOutOptions {
  readonly place: TrustPlace
  /** Whether sudo may ask for a password. */
  readonly isInteractive: boolean
}

/** Resolves with the stores that it failed for, by id, and why. One that fails does not keep the others from being done. */
export async function carryOut(
  steps: readonly TrustStep[],
  { place, isInteractive }: CarryOutOptions,
): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>()
  const forRoot = isRoot() ? [] : steps.filter(({ store }) => store.needsRoot)
  for (const step of steps) {
    if (forRoot.includes(step)) continue
    const failure = await firstFailure(step.changes)
    if (failure === null) continue
    failures.set(step.store.id, failure)
    // It may not be there at all: what matters was said.
    await firstFailure(step.undo)
  }
  if (forRoot.length === 0) return failures
  const script = scriptOf(forRoot.flatMap(({ changes }) => changes))
  const reason = await runBySudo(['/bin/sh', '-c', script], { isInteractive, root: place.root })
  if (reason !== null) for (const { store } of forRoot) failures.set(store.id, `It needs root, and ${reason}`)
  return failures
}

async function firstFailure(changes: readonly Change[]): Promise<string | null> {
  for (const change of changes) {
    const failure = await makeChange(change)
    if (failure !== null) return failure
  }
  return null
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
