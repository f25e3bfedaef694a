// Where an application keeps its files: the XDG base directories, or four folders below one directory of the caller's choice.
// https://specifications.freedesktop.org/basedir-spec/latest/
import { isAbsolute, join, resolve } from 'node:path'
import { getBuiltinModule } from 'node:process'

export interface Directories {
  readonly config: string
  readonly data: string
  readonly state: string
  /** Sockets and other things that must not outlive a login. */
  readonly runtime: string
}

export interface DirectoryOptions {
  /** Name of the folder in each base directory. */
  readonly name: string
  /** Puts all four below this directory instead. */
  readonly home: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Pure: creates and checks nothing. Relative XDG values are ignored, as the specification says. */
export function directoriesFor({ name, home, env }: DirectoryOptions): Directories {
  if (home !== undefined && home !== '') {
    const top = resolve(home)
    return {
      config: join(top, 'config'),
      data: join(top, 'data'),
      state: join(top, 'state'),
      runtime: join(top, 'run'),
    }
  }
  const user =
    env['HOME'] !== undefined && isAbsolute(env['HOME']) ? env['HOME'] : getBuiltinModule('node:os').homedir()
  const base = (variable: string, fallback: string): string => {
    const value = env[variable]
    return join(value !== undefined && isAbsolute(value) ? value : join(user, fallback), name)
  }
  const state = base('XDG_STATE_HOME', '.local/state')
  const runtime = env['XDG_RUNTIME_DIR']
  return {
    config: base('XDG_CONFIG_HOME', '.config'),
    data: base('XDG_DATA_HOME', '.local/share'),
    state,
    runtime: runtime !== undefined && isAbsolute(runtime) ? join(runtime, name) : join(state, 'run'),
  }
}
