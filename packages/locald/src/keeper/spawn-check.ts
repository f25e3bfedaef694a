// Finds out before a fork what would make the start fail after it, where it could only be told as odd output.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import type { Stats } from 'node:fs'
import type { SpawnOrder, SpawnRefusal } from './protocol.ts'

export type SpawnCheck =
  | { readonly ok: true; /** Absolute. */ readonly program: string }
  | { readonly ok: false; readonly refusal: SpawnRefusal }

/** What `execvp` searches when PATH is not set. */
const defaultPath = '/usr/local/bin:/usr/bin:/bin'

/** Longest single argument or variable that Linux lets through (MAX_ARG_STRLEN), bytes. */
const longestString = 131_072

/** Looks at working directory, program and arguments of an order, in this sequence. */
export function checkSpawn(order: Pick<SpawnOrder, 'argv' | 'cwd' | 'env'>): SpawnCheck {
  const [command] = order.argv
  const refusal =
    checkWorkdir(order.cwd) ??
    checkStrings(order) ??
    (command === undefined ? refuse('failed', 'The command is empty') : null)
  if (refusal !== null || command === undefined)
    return { ok: false, refusal: refusal ?? refuse('failed', 'The command is empty') }
  return findProgram(command, order)
}

type Reason = Exclude<SpawnRefusal['reason'], 'duplicate'>

function refuse(reason: Reason, message: string): SpawnRefusal {
  return { reason, message }
}

function checkWorkdir(cwd: string): SpawnRefusal | null {
  const kind = statOf(cwd)
  if (kind === null) return refuse('workdir-missing', `The working directory "${cwd}" does not exist`)
  if (!kind.isDirectory()) return refuse('workdir-missing', `The working directory "${cwd}" is not a directory`)
  if (!isAllowed(cwd))
    return refuse('workdir-missing', `The working directory "${cwd}" may not be entered by this user`)
  return null
}

function checkStrings({ argv, env }: Pick<SpawnOrder, 'argv' | 'env'>): SpawnRefusal | null {
  const named = [
    ...argv.map((value): readonly [string, string] => ['An argument of the command', value]),
    ...Object.entries(env).map(([name, value]): readonly [string, string] => [
      `The variable "${name}"`,
      `${name}=${value}`,
    ]),
  ]
  for (const [name, text] of named) {
    if (text.includes('\0')) return refuse('failed', `${name} contains a zero byte`)
    if (Buffer.byteLength(text) >= longestString)
      return refuse('failed', `${name} is longer than ${longestString - 1} bytes`)
  }
  return null
}

function findProgram(command: string, { cwd, env }: Pick<SpawnOrder, 'cwd' | 'env'>): SpawnCheck {
  const isPath = command.includes('/')
  const path = env['PATH'] ?? defaultPath
  const candidates = isPath
    ? [resolve(cwd, command)]
    : path.split(':').map((folder) => join(resolve(cwd, folder), command))
  let obstacle: SpawnRefusal | null = null
  for (const program of command === '' ? [] : candidates) {
    const kind = statOf(program)
    if (kind === null) continue
    const problem = problemOf(program, kind.isFile())
    if (problem === null) return { ok: true, program }
    obstacle ??= refuse('not-executable', problem)
  }
  if (obstacle !== null) return { ok: false, refusal: obstacle }
  const where = isPath ? 'does not exist' : `is not on the PATH "${path}"`
  return { ok: false, refusal: refuse('command-not-found', `The command "${command}" ${where}`) }
}

function problemOf(program: string, isFile: boolean): string | null {
  if (!isFile) return `"${program}" is not a file`
  if (!isAllowed(program)) return `"${program}" is not executable`
  const interpreter = interpreterOf(program)
  if (interpreter === null || !isAbsolute(interpreter) || statOf(interpreter) !== null) return null
  return `"${program}" names the interpreter "${interpreter}", which does not exist`
}

/** What stands after `#!` in the first line of a script. */
function interpreterOf(program: string): string | null {
  let fd: number
  try {
    fd = openSync(program, 'r')
  } catch {
    return null // a program may be executable and not readable
  }
  try {
    const start = Buffer.alloc(256)
    const text = start.toString('latin1', 0, readSync(fd, start, 0, start.length, 0))
    return /^#![ \t]*(\S+)/.exec(text)?.[1] ?? null
  } finally {
    closeSync(fd)
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path)
  } catch {
    return null // absent, or behind a directory that may not be searched: the same for who wants to run it
  }
}

/** May be executed, or entered when it is a directory. */
function isAllowed(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
