// Makes systemd-resolved ask the daemon's DNS server for some suffixes, and for nothing else.
// https://www.freedesktop.org/software/systemd/man/latest/resolved.conf.html
import { existsSync, readFileSync } from 'node:fs'
import { isSuffix } from './writable-name.ts'
import { failed } from './replace-file.ts'
import type { SystemChange } from './system-change.ts'
import type { SystemPaths } from './system-paths.ts'

export interface DnsSetup {
  /** Of our DNS server, on 127.0.0.1. */
  readonly port: number
  /** Such as `test`; never empty. */
  readonly suffixes: readonly string[]
}

const restart = ['systemctl', 'restart', 'systemd-resolved']

export function resolvedDropIn({ port, suffixes }: DnsSetup): string {
  const wrong = suffixes.find((suffix) => !isSuffix(suffix))
  if (wrong !== undefined) throw new Error(`"${wrong}" is no suffix`)
  // The tilde: only a route for these names, no suffix to try for others.
  const domains = suffixes.map((suffix) => `~${suffix}`).join(' ')
  return [
    '# Written by "locald admin setup --dns"; "locald admin setup --undo" removes it.',
    '[Resolve]',
    `DNS=127.0.0.1:${port}`,
    `Domains=${domains}`,
    '',
  ].join('\n')
}

/** Null when it is done already. Throws `setup_failed` where systemd-resolved does not run. */
export function routeSuffixesChange(paths: SystemPaths, setup: DnsSetup): SystemChange | null {
  if (!existsSync(paths.resolvedRuntime)) {
    throw failed(
      'Cannot route names to the DNS server of locald: systemd-resolved does not run here',
      undefined,
      'Write the names to the hosts file instead: locald admin sync-hosts',
    )
  }
  const text = resolvedDropIn(setup)
  if (textOf(paths.resolvedFile) === text) return null
  const names = setup.suffixes.map((suffix) => `*.${suffix}`).join(', ')
  return {
    title: `Names below ${names} lead to this machine`,
    file: { path: paths.resolvedFile, text },
    effect: { type: 'command', argv: restart },
    notes: [
      `systemd-resolved asks 127.0.0.1:${setup.port} for ${names}. Without the daemon of locald they lead nowhere.`,
    ],
  }
}

/** Null when there is nothing of ours. */
export function unrouteSuffixesChange(paths: SystemPaths): SystemChange | null {
  if (!existsSync(paths.resolvedFile)) return null
  return {
    title: 'Names are looked up as before',
    file: { path: paths.resolvedFile, text: null },
    effect: existsSync(paths.resolvedRuntime) ? { type: 'command', argv: restart } : null,
    notes: [],
  }
}

function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}
