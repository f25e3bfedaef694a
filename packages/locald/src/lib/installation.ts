// The files of one installation: one keeper, one daemon, all of a user's projects.
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
  /** Which suffixes the DNS server answers for, and on which port; absent: there is none. */
  readonly dnsSetup: string
  /** Where containers were run. */
  readonly engines: string
  /** Who has host names that several projects want. */
  readonly hostHolders: string
  /** The ports that were chosen for the proxy. */
  readonly proxyPorts: string
  /** One folder a project, one a service instance below it. */
  readonly logs: string
  /** Environments of the shells that ran `up`; 0600, gone with the login. */
  readonly shells: string
  /** Our certificate authorities with their keys. */
  readonly authorities: string
  /** Where their certificates are trusted, as `locald trust` has verified it. */
  readonly trustFile: string
  /** Ports by the names of what locald does not run. */
  readonly aliases: string
  /** Configurations of what is only tried, one folder each. */
  readonly tries: string
  /** Defaults of the user for all projects. */
  readonly userConfig: string
}

/** `LOCALD_HOME` puts everything below one directory. */
export function installationFor(env: Readonly<Record<string, string | undefined>>): Installation {
  const directories = directoriesFor({ name: 'locald', home: env['LOCALD_HOME'], env })
  const { config, data, state, runtime } = directories
  // Every command comes this way before it does anything: so many calls of `join` are a measurable part of a short one.
  return {
    ...directories,
    apiSocket: `${runtime}/api.sock`,
    keeperLock: `${state}/keeper.lock`,
    keeperLog: `${state}/keeper.log`,
    daemonLog: `${state}/daemon.log`,
    stoppedMark: `${state}/stopped`,
    journal: `${state}/journal`,
    dnsSetup: `${state}/dns.json`,
    engines: `${state}/engines.json`,
    hostHolders: `${state}/host-holders.json`,
    proxyPorts: `${state}/proxy-ports.json`,
    logs: `${state}/logs`,
    shells: `${runtime}/shells`,
    authorities: `${data}/ca`,
    trustFile: `${state}/trust.json`,
    aliases: `${state}/aliases.json`,
    tries: `${state}/try`,
    userConfig: `${config}/config.toml`,
  }
}
