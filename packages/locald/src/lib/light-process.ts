// Starts short programs without copying this process first. Node's own `spawn` forks, which costs some milliseconds of
// processor for every 100 MB that this process holds; posix_spawn shares the memory until the program begins.
import { accessSync, closeSync, constants, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants as systemConstants } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'
import { openPipe, waitForChild } from './native.ts'

export interface LightOrder {
  /** Program and arguments; a name without a slash is looked for on the PATH of `env`. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/** Both are null when somebody else has reaped it. */
export interface ChildExit {
  readonly code: number | null
  readonly signal: string | null
}

/** It leads a session of its own, has no input, and all signals do what they do by default. */
export interface LightProcess extends Disposable {
  readonly pid: number
  /** What it and its descendants write, on either stream. */
  readonly output: Readable
  /** It has exited and was reaped, in a later turn of the event loop than it was started in. */
  readonly exit: Promise<ChildExit>
  /** Neither it nor any process that it started is left, but for those that closed descriptor 3. */
  readonly gone: Promise<void>
  /** Reads no more; kills nothing. */
  [Symbol.dispose](): void
}

/** How often it is looked whether it has exited: more quickly at first, when most have. */
const firstLookMs = 1
const longestLookMs = 10

/** Throws with the system's `code` when it cannot be started. */
export function startLightProcess(order: LightOrder): LightProcess {
  const program = programOf(order)
  const output = openPipe()
  const life = openPipe()
  try {
    const pid = spawnInto(order, program, { output: output.write, life: life.write })
    return watched(pid, new Socket({ fd: output.read }), new Socket({ fd: life.read }))
  } catch (error) {
    closeSync(output.read)
    closeSync(life.read)
    throw error
  } finally {
    closeSync(output.write)
    closeSync(life.write)
  }
}

function watched(pid: number, output: Socket, life: Socket): LightProcess {
  for (const stream of [output, life]) stream.on('error', () => {}) // a pipe that breaks has ended, which is all that matters
  life.resume()
  const gone = new Promise<void>((done) => {
    let open = 2
    for (const stream of [output, life]) stream.once('close', () => --open === 0 && done())
  })
  const exit = new Promise<ChildExit>((done) => {
    let delayMs = firstLookMs
    let timer = setTimeout(() => look(), delayMs).unref()
    const look = (): void => {
      clearTimeout(timer)
      const status = waitForChild(pid)
      if (status !== null) return done(exitOf(status))
      timer = setTimeout(look, delayMs).unref()
      delayMs = Math.min(longestLookMs, delayMs * 2)
    }
    // The likeliest moment: its descriptors are closed just before it is a zombie.
    life.once('close', () => {
      delayMs = firstLookMs
      look()
    })
  })
  return {
    pid,
    output,
    exit,
    gone,
    [Symbol.dispose]: () => {
      output.destroy()
      life.destroy()
    },
  }
}

/** https://man7.org/linux/man-pages/man3/wait.3p.html: bits 0 to 6 hold a signal, 8 to 15 the code. */
function exitOf(status: number): ChildExit {
  if (status < 0) return { code: null, signal: null }
  const number = status & 0x7f
  if (number === 0) return { code: (status >> 8) & 0xff, signal: null }
  const name = Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0]
  return { code: null, signal: name ?? `signal ${number}` }
}

function programOf({ argv: [name = ''], env, cwd }: LightOrder): string {
  if (name.includes('/')) return resolve(cwd, name)
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
  const found = path
    .split(':')
    .map((directory) => join(resolve(cwd, directory), name))
    .find((candidate) => isProgram(candidate))
  if (found !== undefined && name !== '') return found
  throw Object.assign(new Error(`the command "${name}" is not on the PATH "${path}"`), { code: 'ENOENT' })
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent, or not to be executed: the next directory may have it
  }
}

const isLinux = process.platform === 'linux'
const libc = koffi.load(null)
const posixSpawn = libc.func('int posix_spawn(void *, const char *, void *, void *, char **, char **)')
const initActions = libc.func('int posix_spawn_file_actions_init(void *)')
const addOpen = libc.func('int posix_spawn_file_actions_addopen(void *, int, const char *, int, unsigned int)')
const addDuplicate = libc.func('int posix_spawn_file_actions_adddup2(void *, int, int)')
const addDirectory = addDirectoryFunction()
const destroyActions = libc.func('int posix_spawn_file_actions_destroy(void *)')
const initAttributes = libc.func('int posix_spawnattr_init(void *)')
const setFlags = libc.func('int posix_spawnattr_setflags(void *, short)')
const setDefaults = libc.func('int posix_spawnattr_setsigdefault(void *, void *)')
const setMask = libc.func('int posix_spawnattr_setsigmask(void *, void *)')
const fillSignals = libc.func('int sigfillset(void *)')
const emptySignals = libc.func('int sigemptyset(void *)')

// Numbers from the systems' headers.
const setSignalDefaults = 0x04
const setSignalMask = 0x08
const newSession = isLinux ? 0x80 : 0x0400
/** Larger than the opaque types of any system. */
const opaqueBytes = 512

const attributes = sessionAttributes()

/** Not in glibc before 2.29. */
function addDirectoryFunction(): ((actions: Buffer, directory: string) => unknown) | null {
  try {
    return libc.func('int posix_spawn_file_actions_addchdir_np(void *, const char *)')
  } catch {
    return null
  }
}

function sessionAttributes(): Buffer {
  const made = Buffer.alloc(opaqueBytes)
  const [all, none] = [Buffer.alloc(opaqueBytes), Buffer.alloc(opaqueBytes)]
  initAttributes(made)
  setFlags(made, newSession | setSignalDefaults | setSignalMask)
  // Node ignores SIGPIPE, which a program would inherit: `yes | head` would never end.
  fillSignals(all)
  emptySignals(none)
  setDefaults(made, all)
  setMask(made, none)
  return made
}

interface Descriptors {
  readonly output: number
  readonly life: number
}

function spawnInto({ argv, env, cwd }: LightOrder, program: string, descriptors: Descriptors): number {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const [path, words] = addDirectory === null ? throughShell(cwd, program, argv) : [program, argv]
  let { error, pid } = spawn(path, words, { variables, cwd, descriptors })
  // A script without a first line that says what runs it.
  if (error === systemConstants.errno.ENOEXEC) {
    ;({ error, pid } = spawn('/bin/sh', ['/bin/sh', program, ...argv.slice(1)], { variables, cwd, descriptors }))
  }
  if (error === 0) return pid
  const [name, description] = getSystemErrorMap().get(-error) ?? ['UNKNOWN', `error ${error}`]
  throw Object.assign(new Error(`${name}: ${description}`), { code: name, errno: -error, syscall: 'posix_spawn' })
}

function throughShell(cwd: string, program: string, argv: readonly string[]): readonly [string, readonly string[]] {
  return ['/bin/sh', ['/bin/sh', '-c', 'cd -- "$0" && exec "$@"', cwd, program, ...argv.slice(1)]]
}

function spawn(
  path: string,
  argv: readonly string[],
  {
    variables,
    cwd,
    descriptors,
  }: { readonly variables: readonly string[]; readonly cwd: string; readonly descriptors: Descriptors },
): { readonly error: number; readonly pid: number } {
  const actions = Buffer.alloc(opaqueBytes)
  const pid = Buffer.alloc(4)
  initActions(actions)
  try {
    addDuplicate(actions, descriptors.output, 1)
    addDuplicate(actions, descriptors.output, 2)
    addDuplicate(actions, descriptors.life, 3)
    addOpen(actions, 0, '/dev/null', constants.O_RDONLY, 0)
    addDirectory?.(actions, cwd)
    const error = Number(posixSpawn(pid, path, actions, attributes, [...argv, null], [...variables, null]))
    return { error, pid: pid.readInt32LE(0) }
  } finally {
    destroyActions(actions)
  }
}
