// Whose locald it is about: under `sudo` that of the user who typed it, not root's.
import { execFile } from 'node:child_process'
import { lstat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { LocaldError } from '@locald/protocol'
import { installationFor } from '../lib/installation.ts'
import type { Installation } from '../lib/installation.ts'

export interface Caller {
  readonly uid: number
  readonly gid: number
  readonly home: string
  /** Where the daemon may be, the likeliest first. */
  readonly installations: readonly [Installation, ...Installation[]]
}

type Environment = Readonly<Record<string, string | undefined>>

/** `uid` is that of this process. Throws `setup_failed` when sudo names a user whom the system does not know. */
export async function callerOf(env: Environment, uid: number): Promise<Caller> {
  const sudoer = env['SUDO_UID']
  if (uid !== 0 || sudoer === undefined || !/^\d+$/.test(sudoer) || sudoer === '0') {
    return { uid, gid: process.getgid?.() ?? uid, home: env['HOME'] ?? '/', installations: [installationFor(env)] }
  }
  const { gid, home } = await accountOf(sudoer)
  // What sudo keeps of the environment differs: these are the places where it can be.
  const own = { ...(env['HOME'] === home ? directoriesIn(env) : {}), HOME: home, LOCALD_HOME: env['LOCALD_HOME'] }
  const withLogin = { ...own, XDG_RUNTIME_DIR: `/run/user/${sudoer}` }
  return { uid: Number(sudoer), gid, home, installations: [installationFor(withLogin), installationFor(own)] }
}

/** What the caller has said of directories, where sudo has kept the environment. */
function directoriesIn(env: Environment): Environment {
  return Object.fromEntries(
    ['XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME'].map((variable) => [variable, env[variable]]),
  )
}

/** The socket of the caller's daemon; null when there is none. Throws `directory_refused` when it is somebody else's. */
export async function apiSocketOf({ uid, installations }: Caller): Promise<string | null> {
  for (const { apiSocket } of installations) {
    const facts = await lstat(apiSocket).catch(() => null)
    if (facts === null || !facts.isSocket()) continue
    if (facts.uid === uid) return apiSocket
    throw new LocaldError(
      'directory_refused',
      `Cannot ask the daemon at "${apiSocket}": it belongs to the user with id ${facts.uid}, not to ${uid}`,
    )
  }
  return null
}

async function accountOf(uid: string): Promise<Pick<Caller, 'gid' | 'home'>> {
  try {
    const { stdout } = await promisify(execFile)('/usr/bin/getent', ['passwd', uid])
    const [, , , gid = '', , home] = stdout.trim().split(':')
    if (/^\d+$/.test(gid) && home?.startsWith('/') === true) return { gid: Number(gid), home }
  } catch {
    // Unknown to the system, or it has no getent: said below.
  }
  throw new LocaldError('setup_failed', `Cannot find the home of the user with id ${uid}, who called sudo`, {
    hint: 'Run it as that user, without sudo: it asks for root itself where that is needed',
  })
}
