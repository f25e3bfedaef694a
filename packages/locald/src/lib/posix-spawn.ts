// Starts programs without copying this process first. Node's own `spawn` forks, which costs some milliseconds of processor
// for every 100 MB that this process holds, and more with every thread; posix_spawn shares the memory until the program
// begins.
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'

/** What a new process does with a descriptor before its program begins; in the order given. */
export type DescriptorAction =
  /** `as` becomes a copy of one of ours, whatever its close-on-exec says. */
  | { readonly duplicate: number; readonly as: number }
  /** `as` is opened; a terminal that is opened first becomes the one that controls the session. `flags`: see fs.constants. */
  | { readonly open: string; readonly flags: number; readonly as: number }

export interface PosixSpawnOrder {
  /** Absolute. */
  readonly program: string
  readonly argv: readonly string[]
  /** Not to be changed later: of the same object, what the system is given is made once. */
  readonly env: Readonly<Record<string, string>>
  /** Further variables, which `env` does not have. */
  readonly added?: Readonly<Record<string, string>>
  readonly cwd: string
  readonly descriptors: readonly DescriptorAction[]
}

const isLinux = process.platform === 'linux'
const libc = koffi.load(null)
const spawn = libc.func('int posix_spawn(void *, const char *, void *, void *, char **, char **)')
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

/**
 * Returns the pid of the new process, which leads a session of its own and has the default action for every signal. It is a
 * child that Node knows nothing of: somebody has to reap it. Throws with the system's `code` when it cannot be started.
 */
export function posixSpawn({ program, argv, env, added = {}, cwd, descriptors }: PosixSpawnOrder): number {
  const variables = [...variablesOf(env), ...assignments(added)]
  const [path, words] = addDirectory === null ? throughShell(cwd, program, argv) : [program, argv]
  const from = { variables, cwd, descriptors }
  let { error, pid } = spawnOnce(path, words, from)
  // A script without a first line that says what runs it.
  if (error === constants.errno.ENOEXEC) {
    ;({ error, pid } = spawnOnce('/bin/sh', ['/bin/sh', program, ...argv.slice(1)], from))
  }
  if (error === 0) return pid
  const [name, description] = getSystemErrorMap().get(-error) ?? ['UNKNOWN', `error ${error}`]
  throw Object.assign(new Error(`${name}: ${description}`), { code: name, errno: -error, syscall: 'posix_spawn' })
}

/** Of environments that programs are started in again and again: one may have a thousand variables. */
const known = new WeakMap<Readonly<Record<string, string>>, readonly string[]>()

function variablesOf(env: Readonly<Record<string, string>>): readonly string[] {
  const made = known.get(env) ?? assignments(env)
  known.set(env, made)
  return made
}

function assignments(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`)
}

/** Not in glibc before 2.29. */
function addDirectoryFunction(): ((actions: Buffer, directory: string) => unknown) | null {
  try {
    return libc.func('int posix_spawn_file_actions_addchdir_np(void *, const char *)')
  } catch {
    return null
  }
}

function throughShell(cwd: string, program: string, argv: readonly string[]): readonly [string, readonly string[]] {
  return ['/bin/sh', ['/bin/sh', '-c', 'cd -- "$0" && exec "$@"', cwd, program, ...argv.slice(1)]]
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

interface Surroundings extends Pick<PosixSpawnOrder, 'cwd' | 'descriptors'> {
  readonly variables: readonly string[]
}

function spawnOnce(
  path: string,
  argv: readonly string[],
  { variables, cwd, descriptors }: Surroundings,
): { readonly error: number; readonly pid: number } {
  const actions = Buffer.alloc(opaqueBytes)
  const pid = Buffer.alloc(4)
  initActions(actions)
  try {
    for (const action of descriptors) {
      if ('duplicate' in action) addDuplicate(actions, action.duplicate, action.as)
      else addOpen(actions, action.as, action.open, action.flags, 0)
    }
    addDirectory?.(actions, cwd)
    const error = Number(spawn(pid, path, actions, attributes, [...argv, null], [...variables, null]))
    return { error, pid: pid.readInt32LE(0) }
  } finally {
    destroyActions(actions)
  }
}
