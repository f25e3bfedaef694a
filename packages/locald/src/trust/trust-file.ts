// What `locald trust` has verified, for those who have to decide between http and https.
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { ownDirectory } from '../lib/own-directory.ts'
import type { Authority } from '../certificates/authority.ts'
import type { StoredCa } from './trust-store.ts'

const storedCa = z.object({ fingerprint: z.string(), name: z.string() })
const schema = z.object({
  version: z.literal(1),
  /** When the handshakes were made. */
  verified_at: z.string(),
  scope: z.enum(['all', 'browsers', 'system']),
  /** Fingerprints of the CAs that all stores of the scope trust. */
  trusted: z.array(z.string()),
  stores: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      path: z.string(),
      /** Fingerprints of those that a client of this store accepted. */
      verified: z.array(z.string()),
      /** What was put there by locald, and has to be removed from there. */
      installed: z.array(storedCa),
    }),
  ),
})

export type TrustFile = z.infer<typeof schema>

/** Null when there is none, or none that can be understood: nothing is trusted then. */
export async function readTrustFile(path: string): Promise<TrustFile | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null // it is made anew by `locald trust`, from what is found in the stores
  }
}

/** Makes its directory when that is not there yet. */
export async function writeTrustFile(path: string, file: TrustFile): Promise<void> {
  ownDirectory(dirname(path))
  await writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`)
}

/** Whether https can be shown to people for names of these CAs: each of them was verified in every store of the scope. */
export function isTrusted(authorities: readonly Pick<Authority, 'fingerprint'>[], file: TrustFile | null): boolean {
  return file !== null && authorities.every(({ fingerprint }) => file.trusted.includes(fingerprint))
}

/** What locald has put into stores, as far as it was noted. */
export function installedCas(file: TrustFile | null): readonly StoredCa[] {
  return file?.stores.flatMap(({ installed }) => installed) ?? []
}
