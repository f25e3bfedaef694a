// CAs on disk: a numbered directory each, which appears whole or not at all.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, lstat, mkdtemp, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { isErrno } from '../lib/errno.ts'
import { directoryOfAnother } from '../lib/own-directory.ts'
import { authorityOf } from './authority.ts'
import type { Authority } from './authority.ts'
import type { KeyPair } from './issue.ts'

/** What looks like the directory of a CA and cannot be used as one. */
export interface DamagedAuthority {
  readonly directory: string
  readonly reason: string
}

export interface StoredAuthorities {
  /** Oldest first. */
  readonly authorities: readonly Authority[]
  readonly damaged: readonly DamagedAuthority[]
  /** The number of the next one, as of this reading. */
  readonly next: number
}

const certificateFile = 'certificate.pem'
const keyFile = 'key.pem'
const newPrefix = '.new-'
/** A half-made CA that is older was left by a crash. */
const abandonedAfterMs = 60 * 60_000

/**
 * Changes nothing. A directory that does not exist holds none. Throws `directory_refused` for what is not ours or cannot
 * be read: that is no damage, and a new CA would only have to be trusted for nothing.
 */
export async function readAuthorities(directory: string): Promise<StoredAuthorities> {
  const authorities: Authority[] = []
  const damaged: DamagedAuthority[] = []
  const paths = await numbered(directory)
  for (const path of paths) {
    try {
      authorities.push(await readAuthority(path))
    } catch (error) {
      if (isErrno(error, 'EACCES', 'EPERM')) throw unreadable(path, error)
      if (error instanceof LocaldError) throw error
      damaged.push({ directory: path, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const last = paths.at(-1)
  return { authorities, damaged, next: last === undefined ? 1 : Number(basename(last)) + 1 }
}

/** The CA's certificate and key, for issuing. */
export async function readKeyPair({ certificate, file }: Authority): Promise<KeyPair> {
  return { certificate, key: await readFile(keyOf(file), 'utf8') }
}

/** Stores a CA under this number; false when another process was faster: read again, what it stored may be enough. */
export async function storeAuthority(directory: string, number: number, pair: KeyPair): Promise<boolean> {
  const temporary = await mkdtemp(join(directory, newPrefix)) // 0700
  try {
    await writeSynced(join(temporary, keyFile), pair.key)
    await writeSynced(join(temporary, certificateFile), pair.certificate)
    await rename(temporary, join(directory, String(number)))
    return true
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false
    throw error
  }
}

/** Renames it, so that nothing is lost; resolves with where it is now, null when another process was faster. */
export async function setAside({ directory }: DamagedAuthority, now: number): Promise<string | null> {
  const aside = `${directory}.damaged-${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/gu, '')}`
  try {
    await rename(directory, aside)
    return aside
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return null
    throw error
  }
}

/** Resolves with the keys that others could read until now. */
export async function tightenKeys(authorities: readonly Authority[]): Promise<readonly string[]> {
  const open: string[] = []
  for (const { file } of authorities) {
    const key = keyOf(file)
    if (((await stat(key)).mode & 0o077) === 0) continue
    await chmod(key, 0o600)
    open.push(key)
  }
  return open
}

/** What crashes have left of CAs that were being made. */
export async function removeAbandoned(directory: string, now: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(newPrefix)) continue
    const path = join(directory, name)
    const age = now - ((await lstat(path).catch(() => null))?.mtimeMs ?? now)
    if (age > abandonedAfterMs) await rm(path, { recursive: true, force: true })
  }
}

async function readAuthority(directory: string): Promise<Authority> {
  const file = join(directory, certificateFile)
  const certificate = await readFile(file, 'utf8')
  const key = keyOf(file)
  await refuseThoseOfOthers(key)
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(await readFile(key, 'utf8')))) {
    throw new Error('The key is not that of the certificate')
  }
  return authorityOf(certificate, file)
}

function keyOf(certificate: string): string {
  return join(dirname(certificate), keyFile)
}

/** The directories of CAs, in the order of their numbers. */
async function numbered(directory: string): Promise<readonly string[]> {
  try {
    await refuseThoseOfOthers(directory)
    const names = (await readdir(directory)).filter((name) => /^[1-9]\d{0,5}$/u.test(name))
    return names.sort((a, b) => Number(a) - Number(b)).map((name) => join(directory, name))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error instanceof LocaldError ? error : unreadable(directory, error)
  }
}

/** Who can write a key, or put one in its place, could speak for every name. */
async function refuseThoseOfOthers(path: string): Promise<void> {
  const { uid } = await stat(path)
  if (process.getuid !== undefined && uid !== process.getuid()) throw directoryOfAnother(path, uid)
}

function unreadable(path: string, cause: unknown): LocaldError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new LocaldError('directory_refused', `Cannot read the certificate authority in "${path}": ${reason}`, {
    cause,
    hint: 'Make it readable for you alone (chmod -R u+rwX,go= on it), or move it away: a new one is made then, which needs "locald trust" again',
  })
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
}
