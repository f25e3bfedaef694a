// Lets every user open the ports from 80 up, which Linux keeps for root: one line for sysctl, and the way back.
// https://docs.kernel.org/networking/ip-sysctl.html: ip_unprivileged_port_start
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { SystemChange } from './system-change.ts'
import type { SystemPaths } from './system-paths.ts'
import { textOf } from './text-of.ts'

const key = 'net.ipv4.ip_unprivileged_port_start'
const wanted = 80
/** What the kernel begins with. */
const kernelDefault = 1024

const header =
  '# Lets every user open ports from 80 up. Written by "locald admin setup"; "locald admin setup --undo" removes it.'

/** The lowest port that everybody may open; null where the system has no such limit that could be set. */
export function portStart({ portStart: path }: SystemPaths): number | null {
  const value = Number(textOf(path)?.trim() || Number.NaN)
  return Number.isInteger(value) ? value : null
}

/** Null when nothing has to be done, or nothing can be. */
export function openPortsChange(paths: SystemPaths): SystemChange | null {
  const now = portStart(paths)
  if (now === null) return null
  const written = textOf(paths.sysctlFile)
  if (now <= wanted) return null
  const before = beforeIn(written) ?? now
  return {
    title: 'Ports 80 and 443 without root',
    file: { path: paths.sysctlFile, text: `${header}\n# Before: ${before}\n${key} = ${wanted}\n` },
    effect: { type: 'kernel', path: paths.portStart, from: String(now), to: String(wanted) },
    notes: [
      'Every user and program of this machine may then open any port from 80 up, not only locald. Whoever is first gets it: on a machine that you share, somebody could take the port of a system service that is not running.',
      ...laterFiles(paths).map(
        (file) => `"${file}" sets ${key} as well and is read later: after a reboot that one holds`,
      ),
    ],
  }
}

/** Null when there is nothing of ours. */
export function closePortsChange(paths: SystemPaths): SystemChange | null {
  const written = textOf(paths.sysctlFile)
  if (written === null) return null
  const now = portStart(paths)
  const before = beforeIn(written) ?? kernelDefault
  // Somebody has set another value since: it is theirs.
  const isOurs = now === wanted && before !== now
  return {
    title: 'Ports 80 and 443 for root alone, as before',
    file: { path: paths.sysctlFile, text: null },
    effect: isOurs ? { type: 'kernel', path: paths.portStart, from: String(now), to: String(before) } : null,
    notes: [],
  }
}

function beforeIn(written: string | null): number | null {
  const value = /^# Before: (\d{1,5})$/m.exec(written ?? '')?.[1]
  return value === undefined ? null : Number(value)
}

/** Files that sysctl reads after ours, and that set the same. https://man7.org/linux/man-pages/man5/sysctl.d.5.html */
function laterFiles({ sysctlDirectory, sysctlFile }: SystemPaths): readonly string[] {
  let names: readonly string[] = []
  try {
    names = readdirSync(sysctlDirectory)
  } catch {
    // Not there yet: nobody has said anything.
  }
  const pattern = new RegExp(String.raw`^\s*-?${key.replaceAll('.', '[./]')}\s*=`, 'm')
  return names
    .filter((name) => name.endsWith('.conf') && name > basename(sysctlFile))
    .map((name) => join(sysctlDirectory, name))
    .filter((file) => pattern.test(textOf(file) ?? ''))
}
