import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Names the time between two starts of this machine: pids and start times mean something only within it. Empty: not known. */
export function bootId(): string {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
  } catch {
    return '' // a system that does not tell
  }
}
