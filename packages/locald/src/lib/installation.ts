// The files of one installation: one keeper, one daemon, all of a user's projects.
import { join } from 'node:path'
import { directoriesFor } from './directories.ts'
import type { Directories } from './directories.ts'

/** Absolute paths; nothing is created by asking for them. */
export interface Installation extends Directories {
  /** The API's unix socket. */
  readonly apiSocket: string
  /** Held by the keeper for as long as it lives. */
  readonly keeperLock: string
  readonly keeperLog: string
  readonly daemonLog: string
  /** There when services were stopped without a daemon that could note it: the next one brings nothing back. */
  readonly stoppedMark: string
  /** Journal and snapshot of the daemon. */
  readonly journal: string
  /** Where containers were run. */
  readonly engines: string
  /** One folder a project, one a service instance below it. */
  readonly logs: string
  /** Environments of the shells that ran `up`; 0600, gone with the login. */
  readonly shells: string
  /** Defaults of the user for all projects. */
  readonly userConfig: string
}

/** `LOCALD_HOME` puts everything below one directory. */
export function installationFor(env: Readonly<Record<string, string | undefined>>): Installation {
  const directories = directoriesFor({ name: 'locald', home: env['LOCALD_HOME'], env })
  return {
    ...directories,
    apiSocket: join(directories.runtime, 'api.sock'),
    keeperLock: join(directories.state, 'keeper.lock'),
    keeperLog: join(directories.state, 'keeper.log'),
    daemonLog: join(directories.state, 'daemon.log'),
    stoppedMark: join(directories.state, 'stopped'),
    journal: join(directories.state, 'journal'),
    engines: join(directories.state, 'engines.json'),
    logs: join(directories.state, 'logs'),
    shells: join(directories.runtime, 'shells'),
    userConfig: join(directories.config, 'config.toml'),
  }
}
