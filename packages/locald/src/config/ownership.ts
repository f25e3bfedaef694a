// Whose files are trusted: what stands in another user's would run as us.
import { stat } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { dirname } from 'node:path'
import { LocaldError } from '@locald/protocol'

/** What is at a path, looked at once. */
export type Look = (path: string) => Promise<Stats | undefined>

export function eachOnce(): Look {
  const seen = new Map<string, Promise<Stats | undefined>>()
  return async (path) => {
    const facts = seen.get(path) ?? statOf(path)
    seen.set(path, facts)
    return await facts
  }
}

export async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch {
    // Whatever we may not look at is not there for us.
    return undefined
  }
}

/** The user of this process. */
export function ownUid(): number {
  return process.getuid?.() ?? 0
}

/** Who owns what is there, when that is neither this user nor root. */
export function foreignOwner(facts: Stats | undefined, uid: number): number | undefined {
  return facts === undefined || facts.uid === uid || facts.uid === 0 ? undefined : facts.uid
}

interface Trusting {
  /** Whose files are trusted besides root's. */
  readonly uid: number
  readonly look: Look
}

/** Throws `config_refused` when `file` (a real path), its directory or `root` is another user's. */
export async function refuseOthers(file: string, root: string, { uid, look }: Trusting): Promise<void> {
  const paths = [...new Set([file, dirname(file), root])]
  const facts = await Promise.all(paths.map(look))
  for (const [n, path] of paths.entries()) {
    const owner = foreignOwner(facts[n], uid)
    if (owner === undefined) continue
    throw new LocaldError(
      'config_refused',
      `Refused to use "${file}": "${path}" belongs to another user (uid ${owner}), and its commands would run as you`,
      { hint: `If you trust it, make it yours: sudo chown ${uid} "${path}"` },
    )
  }
}
