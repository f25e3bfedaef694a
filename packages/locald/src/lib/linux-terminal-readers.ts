// Who waits for a terminal, as /proc shows it. Reading in which call a process waits takes the right to trace it: an ancestor
// has that for processes of its own user also where Yama restricts tracing. https://docs.kernel.org/admin-guide/LSM/Yama.html
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import type { TerminalReaders } from './terminal-reader-source.ts'

type Wait = 'read' | 'poll' | 'select' | 'epoll'

/** Numbers of the system calls that wait, from the kernel's tables. */
const waits: Readonly<Record<string, ReadonlyMap<number, Wait> | undefined>> = {
  x64: new Map([
    [0, 'read'], // read
    [19, 'read'], // readv
    [7, 'poll'], // poll
    [271, 'poll'], // ppoll
    [23, 'select'], // select
    [270, 'select'], // pselect6
    [232, 'epoll'], // epoll_wait
    [281, 'epoll'], // epoll_pwait
    [441, 'epoll'], // epoll_pwait2
  ]),
  arm64: new Map([
    [63, 'read'],
    [65, 'read'],
    [73, 'poll'],
    [72, 'select'],
    [22, 'epoll'],
    [441, 'epoll'],
  ]),
}

/** The call of the kernel that a reader of a terminal sleeps in, by its old and its new name. */
const readingTerminal = /^(n_tty_read|wait_woken)$/
const threadsLookedAt = 64
const descriptorsLookedAt = 4096
/** `/dev/tty`: whichever terminal controls the process. */
const ownTerminal = 0x500
const pollIn = 1

export const linuxTerminalReaders: TerminalReaders = {
  terminalOf: (pid) => {
    const device = foregroundOf(pid)?.terminal ?? 0
    return device === 0 ? null : device
  },
  waitingFor: (terminal, pids) => pids.filter((pid) => isWaiting(pid, terminal)),
}

function isWaiting(pid: number, terminal: number): boolean {
  const place = foregroundOf(pid)
  // In the background a process gets SIGTTIN instead of input.
  if (place === null || (place.terminal === terminal && !place.isForeground)) return false
  return threadsOf(pid).some((thread) => {
    const call = readOrNull(`/proc/${pid}/task/${thread}/syscall`)
    if (call === null) return seemsToRead(pid, terminal)
    return waitsFor(pid, terminal, call)
  })
}

/** Where the system does not let us see the call: the place in the kernel, if its input is the terminal. */
function seemsToRead(pid: number, terminal: number): boolean {
  return readingTerminal.test(readOrNull(`/proc/${pid}/wchan`) ?? '') && isTerminal(pid, 0, terminal)
}

/** `0 0x0 0x7ffd… …`: number and arguments of the call; `running` when it is in none. */
function waitsFor(pid: number, terminal: number, call: string): boolean {
  const [number, first = '', second = ''] = call.split(' ')
  const wait = waits[process.arch]?.get(Number(number))
  switch (wait) {
    case 'read':
      return isTerminal(pid, Number(first), terminal)
    case 'poll':
      return polled(pid, first, Number(second)).some((fd) => isTerminal(pid, fd, terminal))
    case 'select':
      return selected(pid, second, Number(first)).some((fd) => isTerminal(pid, fd, terminal))
    case 'epoll':
      return watched(pid, Number(first)).some((fd) => isTerminal(pid, fd, terminal))
    default:
      return false
  }
}

/** An array of `struct pollfd`: descriptor, wanted events, events. */
function polled(pid: number, address: string, count: number): readonly number[] {
  const bytes = readMemory(pid, address, 8 * Math.min(count, descriptorsLookedAt))
  const found: number[] = []
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    if ((bytes.readInt16LE(at + 4) & pollIn) !== 0) found.push(bytes.readInt32LE(at))
  }
  return found
}

/** A bit for each descriptor; the kernel writes its answer there only when the call returns. */
function selected(pid: number, address: string, count: number): readonly number[] {
  const bytes = readMemory(pid, address, Math.ceil(Math.min(count, descriptorsLookedAt) / 8))
  return [...bytes].flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((bit) => ((byte >> bit) & 1 ? [index * 8 + bit] : [])),
  )
}

function watched(pid: number, fd: number): readonly number[] {
  const info = readOrNull(`/proc/${pid}/fdinfo/${fd}`) ?? ''
  return [...info.matchAll(/^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)/gm)].flatMap(([, target, events]) =>
    (Number.parseInt(events ?? '0', 16) & pollIn) !== 0 ? [Number(target)] : [],
  )
}

function isTerminal(pid: number, fd: number, terminal: number): boolean {
  try {
    const device = statSync(`/proc/${pid}/fd/${fd}`).rdev
    return device === terminal || (device === ownTerminal && foregroundOf(pid)?.terminal === terminal)
  } catch {
    return false // closed, or it has ended
  }
}

/** From `/proc/PID/stat`. The terminal has the same number as in `st_rdev`; 0: none. */
function foregroundOf(pid: number): { readonly terminal: number; readonly isForeground: boolean } | null {
  const line = readOrNull(`/proc/${pid}/stat`)
  const [, , group, , terminal, foreground] = line?.slice(line.lastIndexOf(')') + 2).split(' ') ?? []
  return terminal === undefined ? null : { terminal: Number(terminal), isForeground: group === foreground }
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).slice(0, threadsLookedAt)
  } catch {
    return [] // it has ended
  }
}

function readMemory(pid: number, address: string, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  try {
    const fd = openSync(`/proc/${pid}/mem`, 'r')
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, length, BigInt(address)))
    } finally {
      closeSync(fd)
    }
  } catch {
    return bytes.subarray(0, 0) // no such address: it is NULL, or the call has returned meanwhile
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch {
    return null // it has ended, or belongs to another user
  }
}
