import { readFileSync } from 'node:fs'

/** Resident memory of a process in MB: now, or with `VmHWM` the most it ever had. */
export function megabytesOf(pid, field = 'VmRSS') {
  const [, kilobytes] =
    new RegExp(`${field}:\\s+(\\d+) kB`, 'u').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
