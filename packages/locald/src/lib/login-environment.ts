// The environment that a user has after logging in: what the login shell makes of the user's profile.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

export interface Login {
  readonly user: string
  /** Of the user database, as the others; null or empty: `/bin/sh`. */
  readonly shell: string | null
  readonly home: string
  /** What a session has that no shell sets, such as `LANG`. Default: nothing. */
  readonly session?: Readonly<Record<string, string>>
  /** For the shell with all that the profile does. Default 5 s; then it and what it has started are killed. */
  readonly limitMs?: number
}

const defaultLimitMs = 5000
const maxBytes = 4 * 1024 * 1024
/** As `login` sets it for the profile to change. */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs the shell as a login shell that is not interactive, without input. Rejects when it cannot be run, does not get as far
 * as to say its environment, or takes too long.
 */
export async function loginEnvironment(login: Login): Promise<Readonly<Record<string, string>>> {
  const mark = randomUUID()
  const { child, shell } = startShell(login, mark)
  try {
    return variablesIn(await textBetween(child, mark, login.limitMs ?? defaultLimitMs))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`The login shell "${shell}" did not tell its environment: ${reason}`, { cause })
  }
}

/** Profiles may print what they like around the marks. */
function startShell({ user, shell: own, home, session }: Login, mark: string): { child: ChildProcess; shell: string } {
  const shell = own === null || own === '' ? '/bin/sh' : own
  const child = spawn(shell, ['-c', `printf ${mark}; /usr/bin/env -0; printf ${mark}`], {
    // A dash in front makes every shell a login shell; not all have an option for it.
    argv0: `-${basename(shell)}`,
    cwd: existsSync(home) ? home : '/',
    env: { ...session, HOME: home, USER: user, LOGNAME: user, SHELL: shell, PATH: path },
    // A session and so a process group of its own.
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { child, shell }
}

/** What a profile has started in the background may hold the output open: its end is not waited for. */
async function textBetween(child: ChildProcess, mark: string, limitMs: number): Promise<string> {
  let text = ''
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(child)
      reject(new Error(`it took longer than ${limitMs} ms`))
    }, limitMs)
    const settle = (end: () => void): void => {
      child.stdout?.destroy()
      end()
    }
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const [, found, after] = text.split(mark)
      if (found !== undefined && after !== undefined) settle(() => resolve(found))
      else if (text.length > maxBytes) {
        killGroup(child)
        settle(() => reject(new Error('it prints too much')))
      }
    })
    // The time runs on until it is gone, also after it has answered.
    child.once('exit', () => clearTimeout(timer))
    child.once('error', reject)
    child.once('close', (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)))
  })
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

function variablesIn(text: string): Readonly<Record<string, string>> {
  const entries = text.split('\0').flatMap((line) => {
    const at = line.indexOf('=')
    return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
  })
  return Object.fromEntries(entries)
}
