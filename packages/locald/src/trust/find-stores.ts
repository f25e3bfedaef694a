// All places of this machine and user in which a CA has to be trusted.
import type { TrustScope } from '@locald/protocol'
import { findNssDatabases } from './nss-databases.ts'
import { findNssTools, nssStore } from './nss-store.ts'
import { keychainStore } from './keychain-store.ts'
import { systemStore } from './system-store.ts'
import type { TrustPlace } from './trust-place.ts'
import type { TrustStore } from './trust-store.ts'

/** The system's first. */
export async function findStores(place: TrustPlace, scope: TrustScope = 'all'): Promise<readonly TrustStore[]> {
  const tools = await findNssTools(place)
  const databases = scope === 'system' ? [] : await findNssDatabases(place)
  const browsers = await Promise.all(databases.map(async (database) => await nssStore(database, tools, place)))
  if (scope === 'browsers') return browsers
  return [place.platform === 'darwin' ? keychainStore() : await systemStore(place), ...browsers]
}
