// A machine and a user of a test's own: below one directory, with a CA. Nothing of the real ones is touched.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Authorities } from '../../certificates/authorities.ts'
import { surveyStores } from '../survey.ts'
import type { TrustPlace } from '../trust-place.ts'
import { carryOut, planRemoval, planTrust } from '../trust-plan.ts'
import type { TrustStore } from '../trust-store.ts'

export interface PrivatePlace extends TrustPlace, Disposable {
  readonly authorities: Authorities
  /** Writes a file below the root; `/` at the end makes a directory. */
  write(path: string, text?: string, mode?: number): string
}

export function createPrivatePlace(env: Readonly<Record<string, string>> = {}): PrivatePlace {
  const root = mkdtempSync(join(tmpdir(), 'locald-place-'))
  const home = join(root, 'home/ann')
  mkdirSync(home, { recursive: true })
  return {
    root,
    home,
    configHome: join(home, '.config'),
    dataHome: join(home, '.local/share'),
    env: { PATH: '/usr/bin:/bin', ...env },
    platform: 'linux',
    authorities: Authorities.open(join(root, 'ca')),
    write: (path, text = '', mode = 0o644) => {
      const file = join(root, path)
      mkdirSync(path.endsWith('/') ? file : dirname(file), { recursive: true })
      if (path.endsWith('/')) return file
      writeFileSync(file, text)
      chmodSync(file, mode)
      return file
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** What these stores say of all CAs of the place: by store, null or why not. */
export async function faultsOf(
  place: PrivatePlace,
  stores: readonly TrustStore[],
): Promise<readonly (string | null)[]> {
  const surveys = await surveyStores(stores, place.authorities, await place.authorities.all())
  return surveys.flatMap(({ results }) => results.map(({ fault }) => fault))
}

/** Plans and does; resolves with what failed, by store. */
export async function trustIn(
  place: PrivatePlace,
  stores: readonly TrustStore[],
): Promise<ReadonlyMap<string, string>> {
  const surveys = await surveyStores(stores, place.authorities, await place.authorities.all())
  return await carryOut(planTrust(surveys), { place, isInteractive: false })
}

/** The same for removing; resolves with the stores that something was in. */
export async function removeFrom(place: PrivatePlace, stores: readonly TrustStore[]): Promise<readonly string[]> {
  const steps = await planRemoval(stores, await place.authorities.all())
  await carryOut(steps, { place, isInteractive: false })
  return steps.map(({ store }) => store.id)
}

/** Whether a program that a test needs is on this machine. */
export function hasProgram(name: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return directories.some((directory) => existsSync(join(directory, name)))
}
