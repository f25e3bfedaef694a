// Finds the daemon, or starts the keeper that starts it.
import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorKinds, LocaldError } from '@locald/protocol'
import type { ErrorCode } from '@locald/protocol'
import { isErrno } from '../lib/errno.ts'
import type { Installation } from '../lib/installation.ts'
import { timeLimit } from '../lib/time-limit.ts'
import { ownDirectory, unusable } from '../lib/own-directory.ts'
import { isListening } from './is-listening.ts'
import { readLines } from './text-lines.ts'
import { crashLoopLines, whyUnreachable } from './why-unreachable.ts'

export interface ServerStart {
  readonly installation: Installation
  /** The keeper's program, run by this Node. */
  readonly keeperProgram: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What to do about a daemon that ended too often: try it again, or again without its journal. Default: nothing. */
  readonly again?: 'retry' | 'fresh'
  /** Until it gives up. Default 20 s. */
  readonly timeoutMs?: number
}

/** Longer than a start takes: the holder of the lock may be an old keeper on its way out. */
const startMs = 2000

/**
 * Returns once somebody listens on the daemon's socket, starting the keeper when nobody does. Commands that race start one
 * keeper. Rejects with `daemon_unreachable`, with the last lines of the logs as its hint, or with what the keeper reports.
 */
export async function ensureServer(start: ServerStart): Promise<void> {
  const { installation, again, timeoutMs = 20_000 } = start
  if (await isListening(installation)) return
  ownDirectory(installation.state)
  ownDirectory(installation.runtime)
  if (again === 'fresh') await setJournalAside(installation)
  using limit = timeLimit(timeoutMs)
  const giveUp = limit.signal
  while (!giveUp.aborted) {
    const outcome = await startKeeper(start, giveUp)
    if (outcome === 'ready') return
    // Told to try again, the keeper removes its note; otherwise the note stands, and waiting is in vain.
    if (again === undefined && (await crashLoopLines(installation)) !== null) break
    if (await isListeningWithin(startMs, installation, giveUp)) return
    // Whoever held the lock let go of it without listening (it was about to exit): try anew.
  }
  throw await cannotStart(installation, 'nobody listens on its socket')
}

/** Kept, because what it holds may explain why the daemon could not live with it. */
async function setJournalAside({ journal }: Installation): Promise<void> {
  try {
    await rename(journal, `${journal}.aside-${Date.now()}`)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** Resolves with what the new keeper says on its fourth descriptor, or once somebody listens, whoever that is. */
async function startKeeper(start: ServerStart, giveUp: AbortSignal): Promise<'ready' | 'held'> {
  const { installation, keeperProgram, again } = start
  const log = await openLog(installation.keeperLog)
  try {
    const child = spawn(process.execPath, [keeperProgram, ...(again === undefined ? [] : ['--retry'])], {
      detached: true,
      // Not the caller's directory, which would be kept busy for as long as the keeper lives.
      cwd: '/',
      env: keeperEnvironment(start.env),
      stdio: ['ignore', log.fd, log.fd, 'pipe'],
    })
    const failed = new Promise<never>((_, reject) => child.once('error', reject))
    child.unref()
    const report = child.stdio[3] as Readable
    const told = new AbortController()
    const abort = (): void => {
      told.abort()
      report.destroy()
    }
    giveUp.addEventListener('abort', abort)
    const others = isListeningWithin(Infinity, installation, told.signal)
    try {
      const line = await Promise.race([firstLine(report), failed, others.then((is) => (is ? 'ready' : undefined))])
      if (line === 'ready' || line === 'held') return line
      if (line?.startsWith('error ') === true) throw reportedError(line.slice('error '.length))
      const why = giveUp.aborted ? 'the keeper did not get ready in time' : 'the keeper exited at once'
      throw await cannotStart(installation, why)
    } finally {
      giveUp.removeEventListener('abort', abort)
      abort()
      await others
    }
  } finally {
    await log.close()
  }
}

async function openLog(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'a', 0o600)
  } catch (error) {
    throw unusable(`the file "${file}"`, error)
  }
}

async function firstLine(stream: Readable): Promise<string | undefined> {
  try {
    for await (const line of readLines(stream)) return line
  } catch (error) {
    // Destroyed, because it is given up; anything else is not expected of a pipe.
    if (!stream.destroyed) throw error
  }
  return undefined
}

/** The daemon's own settings, without what would change how Node runs it, or tie it to an npm script. */
function keeperEnvironment(env: ServerStart['env']): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || name.startsWith('NODE_') || name.startsWith('npm_')) continue
    // It works in another directory.
    kept[name] = name === 'LOCALD_HOME' && value !== '' ? resolve(value) : value
  }
  return kept
}

/** Waits for the socket; false when nobody has come to listen on it by then, or before `giveUp`. */
async function isListeningWithin(ms: number, installation: Installation, giveUp: AbortSignal): Promise<boolean> {
  using limit = timeLimit(ms, giveUp)
  using watcher = directoryChanges(installation.runtime)
  while (!limit.signal.aborted) {
    const change = watcher.next()
    if (await isListening(installation)) return true
    // A file system may not report that the socket's file is there: hence also a short sleep.
    await Promise.race([change, sleep(50, undefined, { signal: limit.signal }).catch(() => {})])
  }
  return false
}

/** `next` resolves at the next change in the directory. */
function directoryChanges(directory: string): Disposable & { next(): Promise<void> } {
  let wake = (): void => {}
  const watcher = tryWatch(directory, () => wake())
  return {
    next: () =>
      new Promise((resolve) => {
        wake = resolve
      }),
    [Symbol.dispose]: () => watcher?.close(),
  }
}

/** Null when the system has no watch left: it is only a hint, and the sleep beside it finds the socket too. */
function tryWatch(directory: string, onChange: () => void): FSWatcher | null {
  try {
    return watch(directory, { persistent: false }, onChange).on('error', () => {})
  } catch {
    return null
  }
}

function reportedError(text: string): LocaldError {
  const report: unknown = JSON.parse(text)
  const fields = typeof report === 'object' && report !== null ? (report as Record<string, unknown>) : {}
  const { code, message, hint } = fields
  return new LocaldError(
    typeof code === 'string' && code in errorKinds ? (code as ErrorCode) : 'daemon_unreachable',
    typeof message === 'string' ? message : 'The daemon cannot be started',
    typeof hint === 'string' ? { hint } : {},
  )
}

async function cannotStart(installation: Installation, why: string): Promise<LocaldError> {
  return new LocaldError('daemon_unreachable', `Cannot start the daemon: ${why}`, {
    hint: await whyUnreachable(installation),
  })
}
