// Processes as /proc shows them.
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { uptime } from 'node:os'
import { markerVariable } from './process-source.ts'
import type { ProcessEntry, ProcessEvidence, ProcessSource, ProcessTable } from './process-source.ts'

// One buffer for all: a stat line is short, and this is called hundreds of times in a row.
const statBuffer = Buffer.allocUnsafe(2048)

/** The process table of Linux. A process that ends while it is being read is left out. */
export const linuxProcesses: ProcessSource = {
  read: (): ProcessTable => {
    const table = new Map<number, ProcessEntry>()
    for (const name of readdirSync('/proc')) {
      const first = name.charCodeAt(0)
      if (first < 48 || first > 57) continue
      const entry = readStat(name)
      if (entry !== null) table.set(entry.pid, entry)
    }
    return table
  },
  entry: (pid) => readStat(String(pid)),
  uids: (pid) => {
    const real = readOrNull(`/proc/${pid}/status`)?.match(/^Uid:\t(\d+)\t(\d+)/m)
    return real === null || real === undefined ? [] : [Number(real[1]), Number(real[2])]
  },
  evidence: (pid): ProcessEvidence => ({ marker: readMarker(pid), lockLimit: readLockLimit(pid) }),
  startTime: (pid) => readStat(String(pid))?.startTime ?? null,
  // The kernel tells user space of 100 ticks a second on every machine.
  now: () => Math.floor(uptime() * 100),
  commandLine: (entry) => {
    const text = readOrNull(`/proc/${entry.pid}/cmdline`)?.replaceAll('\0', ' ').trim()
    return text === undefined || text === '' ? entry.name : text
  },
}

function readStat(pid: string): ProcessEntry | null {
  let fd: number
  try {
    fd = openSync(`/proc/${pid}/stat`, 'r')
  } catch {
    return null // it has ended
  }
  try {
    return parseStat(statBuffer.toString('latin1', 0, readSync(fd, statBuffer, 0, statBuffer.length, 0)))
  } catch {
    return null // ESRCH: it ended after the file was opened
  } finally {
    closeSync(fd)
  }
}

/**
 * One line of `/proc/PID/stat`; null when it is not one. The name stands in parentheses and may hold parentheses and spaces.
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function parseStat(line: string): ProcessEntry | null {
  const open = line.indexOf('(')
  const close = line.lastIndexOf(')')
  if (open < 0 || close < open) return null
  const [state, parent, group, session, ...rest] = line.slice(close + 2).split(' ')
  const startTime = rest[15]
  if (state === undefined || startTime === undefined) return null
  return {
    pid: Number(line.slice(0, open - 1)),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: Number(startTime),
    state,
    alive: state !== 'Z' && state !== 'X',
    name: line.slice(open + 1, close),
  }
}

function readMarker(pid: number): string | null {
  // Another user's environment cannot be read; that is what the limit is for.
  const environment = readOrNull(`/proc/${pid}/environ`)
  const start = `${markerVariable}=`
  return (
    environment
      ?.split('\0')
      .find((variable) => variable.startsWith(start))
      ?.slice(start.length) ?? null
  )
}

function readLockLimit(pid: number): number | null {
  const soft = readOrNull(`/proc/${pid}/limits`)?.match(/^Max file locks\s+(\d+)\s/m)?.[1]
  return soft === undefined ? null : Number(soft)
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null // it has ended, or belongs to another user
  }
}
