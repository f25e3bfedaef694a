// The machine and the user whose stores are meant: the real ones, or a test's own.
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

export interface TrustPlace {
  /** Everything of the system is looked for below this directory: `/`, or a test's own. */
  readonly root: string
  /** The user's own directory. */
  readonly home: string
  readonly configHome: string
  readonly dataHome: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
}

export function trustPlaceFor(env: TrustPlace['env'], root = '/'): TrustPlace {
  const own = (variable: string, otherwise: string): string => {
    const value = env[variable]
    return value !== undefined && isAbsolute(value) ? value : otherwise
  }
  const home = own('HOME', homedir())
  return {
    root,
    home,
    configHome: own('XDG_CONFIG_HOME', join(home, '.config')),
    dataHome: own('XDG_DATA_HOME', join(home, '.local/share')),
    env,
    platform: process.platform,
  }
}
