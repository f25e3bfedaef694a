// Processes as `ps` shows them on macOS. Written from its manual; not run yet on a Mac.
import { spawnSync } from 'node:child_process'
import { markerVariable } from './process-source.ts'
import type { ProcessEntry, ProcessEvidence, ProcessSource, ProcessTable } from './process-source.ts'

/** The process table of macOS, which has neither child subreapers nor a session id that `ps` prints. */
export const macosProcesses: ProcessSource = {
  read: (): ProcessTable => {
    const entries = ps('-axo', 'pid=,ppid=,pgid=,lstart=,state=,comm=').map(parsePsLine)
    return new Map(entries.filter((entry) => entry !== null).map((entry) => [entry.pid, entry]))
  },
  entry: (pid) => {
    const [line = ''] = ps('-o', 'pid=,ppid=,pgid=,lstart=,state=,comm=', '-p', String(pid))
    return parsePsLine(line)
  },
  uids: (pid) => ps('-o', 'uid=', '-p', String(pid)).map(Number),
  evidence: (pid): ProcessEvidence => {
    // -E appends the environment to the command, for processes of the same user.
    const [line = ''] = ps('-Eww', '-o', 'command=', '-p', String(pid))
    const marker = new RegExp(`(?:^| )${markerVariable}=(\\S+)`).exec(line)?.[1]
    return { marker: marker ?? null, lockLimit: null }
  },
  startTime: (pid) => macosProcesses.entry(pid)?.startTime ?? null,
  now: () => Date.now(),
  commandLine: (entry) => ps('-ww', '-o', 'command=', '-p', String(entry.pid))[0]?.trim() ?? entry.name,
}

function ps(...args: readonly string[]): string[] {
  // lstart follows the locale, so that one is fixed.
  const { stdout } = spawnSync('/bin/ps', args, { encoding: 'utf8', env: { LC_ALL: 'C' }, maxBuffer: 64 << 20 })
  return stdout.split('\n').filter((line) => line.trim() !== '')
}

/** One line of `ps -o pid=,ppid=,pgid=,lstart=,state=,comm=`; null when it is not one. */
export function parsePsLine(line: string): ProcessEntry | null {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(\S+)\s+(.*)$/.exec(line)
  if (match === null) return null
  const [, pid, parent, group, started = '', state = '', name = ''] = match
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    // A run's processes share its group unless they leave it; the session cannot be seen.
    session: Number(group),
    startTime: Date.parse(started),
    state: state.slice(0, 1),
    alive: !state.startsWith('Z'),
    name: name.split('/').at(-1) ?? name,
  }
}
