// Replaces a file of the system as its administrator would want it done: whoever reads meets the old text or the new one,
// and owner, mode, links and whatever somebody else wrote meanwhile stay as they are.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { isErrno } from '../lib/errno.ts'

/** What a file was when its new text was made of it. */
export interface FileVersion {
  /** Where its text really is, behind symbolic links. */
  readonly path: string
  /** `latin1`: every byte is kept. */
  readonly text: string
}

/** Throws `setup_failed` when it cannot be read. */
export async function readSystemFile(path: string): Promise<FileVersion> {
  try {
    const real = await realpath(path)
    return { path: real, text: await readFile(real, 'latin1') }
  } catch (cause) {
    throw failed(`Cannot read "${path}": ${reasonOf(cause)}`, cause)
  }
}

/**
 * Puts `text` in the place of `version`. A file with several names, or one that is mounted by itself as in a container, can
 * only be written where it is. Throws `setup_failed`, and then has changed nothing.
 */
export async function replaceFile({ path, text: before }: FileVersion, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  try {
    const { uid, gid, mode, nlink } = await stat(path)
    if (nlink > 1) return await writeInPlace(path, before, text)
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text, 'latin1')
      await file.datasync()
    } finally {
      await file.close()
    }
    await chown(temporary, uid, gid)
    await chmod(temporary, mode & 0o7777)
    await checkUnchanged(path, before)
    await rename(temporary, path)
    await restoreLabel(path)
  } catch (cause) {
    if (cause instanceof LocaldError) throw cause
    if (isErrno(cause, 'EBUSY') || isErrno(cause, 'EXDEV')) return await writeInPlace(path, before, text)
    throw failed(`Cannot write "${path}": ${reasonOf(cause)}`, cause)
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeInPlace(path: string, before: string, text: string): Promise<void> {
  await checkUnchanged(path, before)
  try {
    const file = await open(path, 'r+')
    try {
      const bytes = Buffer.from(text, 'latin1')
      await file.write(bytes, 0, bytes.length, 0)
      await file.truncate(bytes.length)
      await file.datasync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw failed(`Cannot write "${path}": ${reasonOf(cause)}`, cause)
  }
}

async function checkUnchanged(path: string, before: string): Promise<void> {
  if ((await readFile(path, 'latin1')) === before) return
  throw failed(`Cannot write "${path}": somebody else has changed it just now`, undefined, 'Run the command again')
}

/** Where SELinux is on, a new file has the label of its directory. https://man7.org/linux/man-pages/man8/restorecon.8.html */
async function restoreLabel(path: string): Promise<void> {
  if (!existsSync('/sys/fs/selinux/enforce') || !existsSync('/usr/sbin/restorecon')) return
  await once(spawn('/usr/sbin/restorecon', [path], { stdio: 'ignore' }), 'close')
}

/** What the system refused, in words. */
export function failed(message: string, cause?: unknown, hint?: string): LocaldError {
  const why = isErrno(cause, 'EROFS')
    ? 'Its directory cannot be written to; where the system is described elsewhere (NixOS, an image), change it there'
    : undefined
  const advice = hint ?? why
  return new LocaldError('setup_failed', message, { cause, ...(advice === undefined ? {} : { hint: advice }) })
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? (cause.message.split(',')[0] ?? cause.message) : String(cause)
}
