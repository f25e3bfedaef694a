// A database of NSS, as Firefox and Chromium have it, changed by NSS's own tools.
import { X509Certificate } from 'node:crypto'
import { constants } from 'node:fs'
import { devNull } from 'node:os'
import { join } from 'node:path'
import type { Authority } from '../certificates/authority.ts'
import { isAllowed, systemProgram } from '../lib/system-program.ts'
import type { Change } from './change.ts'
import { installNssTools } from './distribution.ts'
import type { NssDatabase } from './nss-databases.ts'
import type { Probe } from './probe.ts'
import { runProgram, userProgram } from './programs.ts'
import type { TrustPlace } from './trust-place.ts'
import type { StoredCa, TrustStore } from './trust-store.ts'

/** A CA for servers, and for nothing else. */
const trustFlags = 'C,,'

/** The tools that there are. */
export interface NssTools {
  readonly certutil: string | null
  /** A client of NSS that makes a handshake; not everywhere. */
  readonly tstclnt: string | null
}

export async function findNssTools(place: TrustPlace): Promise<NssTools> {
  return { certutil: await userProgram('certutil', place), tstclnt: await userProgram('tstclnt', place) }
}

export async function nssStore(
  { directory, label, exists }: NssDatabase,
  tools: NssTools,
  place: TrustPlace,
): Promise<TrustStore> {
  const needsRoot = exists && !(await isWritable(directory))
  const certutil = needsRoot ? await systemProgram('certutil', place.root) : tools.certutil
  const database = `sql:${directory}`
  const certutilOn = (...args: readonly string[]): readonly string[] => [
    certutil ?? 'certutil',
    ...args,
    '-d',
    database,
  ]
  // With an empty file for its password certutil says that there is one, instead of asking for it.
  const changeBy = (...args: readonly string[]): readonly string[] => certutilOn(...args, '-f', devNull)
  const create: readonly Change[] = [
    { type: 'directory', path: directory },
    { type: 'run', argv: certutilOn('-N', '--empty-password') },
  ]
  return {
    id: `nss:${directory}`,
    kind: 'nss',
    label,
    path: directory,
    obstacle: certutil === null ? { reason: '"certutil" of NSS is missing', fix: await installNssTools(place) } : null,
    needsRoot,
    has: async (ca) => certutil !== null && (await isIn(certutilOn('-L', '-n', ca.name, '-a'), ca)),
    preparations: exists ? [] : create,
    additions: ({ name, certificate }) => [
      { type: 'run', argv: changeBy('-A', '-t', trustFlags, '-n', name), input: certificate },
    ],
    removals: ({ name }) => [{ type: 'run', argv: changeBy('-D', '-n', name) }],
    refresh: [],
    refreshAfterRemoval: [],
    proof: tools.tstclnt === null ? 'statement' : 'handshake',
    verify: async (authority, probe) => await verifyBy(tools, database, authority, probe),
  }
}

/** Its directory too: what is changed is first written beside it. */
async function isWritable(directory: string): Promise<boolean> {
  for (const file of [directory, join(directory, 'cert9.db'), join(directory, 'key4.db')]) {
    if ((await isAllowed(file, constants.F_OK)) && !(await isAllowed(file, constants.W_OK))) return false
  }
  return true
}

async function isIn(list: readonly string[], { fingerprint }: StoredCa): Promise<boolean> {
  const { ok, stdout } = await runProgram(list)
  if (!ok) return false
  try {
    return new X509Certificate(stdout).fingerprint256.replaceAll(':', '').toLowerCase() === fingerprint
  } catch {
    return false // something else of that name
  }
}

/** A handshake where there is a client for it, else NSS's word that the CA is good for servers. */
async function verifyBy(
  { certutil, tstclnt }: NssTools,
  database: string,
  { name }: Authority,
  { host, port }: Probe,
): Promise<string | null> {
  const address = ['-h', '127.0.0.1', '-p', String(port), '-a', host]
  const argv =
    tstclnt === null
      ? [certutil ?? 'certutil', '-V', '-d', database, '-n', name, '-u', 'L']
      : [tstclnt, ...address, '-d', database, '-Q', '-4']
  const { ok, reason } = await runProgram(argv)
  return ok ? null : reason.replace(/^(?:tstclnt|certutil): /u, '')
}
