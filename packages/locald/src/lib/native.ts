// The system calls that Node does not offer, each with its error turned into an exception.
import { closeSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'

const isLinux = process.platform === 'linux'
const libc = koffi.load(null)

// Numbers from the systems' headers.
const fcntlGetFlags = 1
const fcntlSetFlags = 2
const fcntlGetStatus = 3
const fcntlSetStatus = 4
const fcntlDuplicateCloseOnExec = isLinux ? 1030 : 67
const closeOnExecFlag = 1
const nonBlocking = isLinux ? 0o4000 : 0x4
const lockExclusive = 2
const lockNonBlocking = 4
const waitNoHang = 1
const unixFamily = 1
const streamSocket = 1
const inet4Family = 2
const inet6Family = isLinux ? 10 : 30
const socketLevel = isLinux ? 1 : 0xffff
const reuseAddress = isLinux ? 2 : 4
const inet6Level = 41
const inet6Only = isLinux ? 26 : 27
const setChildSubreaper = 36
const fileLocksResource = 10

const fcntl = libc.func('int fcntl(int, int, ...)')
const flock = libc.func('int flock(int, int)')
const waitpid = libc.func('int waitpid(int, void *, int)')
const pipe = libc.func('int pipe(void *)')
const readInto = libc.func('long read(int, void *, unsigned long)')
const socket = libc.func('int socket(int, int, int)')
const bind = libc.func('int bind(int, const void *, unsigned int)')
const listen = libc.func('int listen(int, int)')
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, unsigned int)')
const getsockname = libc.func('int getsockname(int, void *, void *)')
const prctl = isLinux
  ? libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')
  : () => -1
const getrlimit = isLinux ? libc.func('int getrlimit(int, void *)') : () => -1
const setrlimit = isLinux ? libc.func('int setrlimit(int, const void *)') : () => -1

/** The result of a system call that has just been made; throws with the system's `code` when it failed. */
export function checkedCall(call: string, result: unknown): number {
  if (typeof result === 'number' && result >= 0) return result
  throw systemError(call)
}

function systemError(call: string): NodeJS.ErrnoException {
  const errno = koffi.errno()
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${call}: ${code}`), { code, errno: -errno, syscall: call })
}

export function hasCloseOnExec(fd: number): boolean {
  return (checkedCall('fcntl', fcntl(fd, fcntlGetFlags, 'int', 0)) & closeOnExecFlag) !== 0
}

/** Keeps children from inheriting a descriptor. */
export function setCloseOnExec(fd: number): void {
  checkedCall('fcntl', fcntl(fd, fcntlSetFlags, 'int', closeOnExecFlag))
}

/** Reading and writing then fail with EAGAIN where they would wait. */
export function setNonBlocking(fd: number): void {
  const status = checkedCall('fcntl', fcntl(fd, fcntlGetStatus, 'int', 0))
  checkedCall('fcntl', fcntl(fd, fcntlSetStatus, 'int', status | nonBlocking))
}

/** A second descriptor, not inherited by children, for the same open file. */
export function duplicate(fd: number): number {
  return checkedCall('fcntl', fcntl(fd, fcntlDuplicateCloseOnExec, 'int', 3))
}

/**
 * Reads what a descriptor that does not block has to give. 0 or less: nothing now, or an end. Node's own `readSync` makes an
 * exception of "nothing now", which costs more than the reading.
 */
export function readAvailable(fd: number, target: Uint8Array): number {
  return Number(readInto(fd, target, target.length))
}

/** A pipe whose ends children do not inherit. */
export function openPipe(): { readonly read: number; readonly write: number } {
  const ends = Buffer.alloc(8)
  checkedCall('pipe', pipe(ends))
  const [read, write] = [ends.readInt32LE(0), ends.readInt32LE(4)]
  setCloseOnExec(read)
  setCloseOnExec(write)
  return { read, write }
}

/** Takes the advisory lock of an open file for as long as it stays open; false when another holds it. */
export function tryLockDescriptor(fd: number): boolean {
  if (flock(fd, lockExclusive | lockNonBlocking) === 0) return true
  const error = systemError('flock')
  if (error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK') return false
  throw error
}

/** A unix socket bound to `path` and listening, not inherited by children. Throws with the system's `code`. */
export function bindUnixSocket(path: string, backlog: number): number {
  const name = Buffer.from(path)
  // macOS has one byte of length before one byte of family.
  const family = isLinux ? Buffer.from([unixFamily, 0]) : Buffer.from([name.length + 3, unixFamily])
  const address = Buffer.concat([family, name, Buffer.alloc(1)])
  const fd = checkedCall('socket', socket(unixFamily, streamSocket, 0))
  try {
    setCloseOnExec(fd)
    checkedCall('bind', bind(fd, address, address.length))
    checkedCall('listen', listen(fd, backlog))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** A TCP socket of the loopback interface that listens on this port (0: any free one), not inherited by children. */
export function bindLoopback(family: 4 | 6, port: number, backlog: number): number {
  const fd = checkedCall('socket', socket(family === 4 ? inet4Family : inet6Family, streamSocket, 0))
  try {
    setCloseOnExec(fd)
    // A port that was closed a moment ago can be had again; one that somebody listens on cannot.
    switchOn(fd, socketLevel, reuseAddress)
    if (family === 6) switchOn(fd, inet6Level, inet6Only)
    const address = loopbackAddress(family, port)
    checkedCall('bind', bind(fd, address, address.length))
    checkedCall('listen', listen(fd, backlog))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function switchOn(fd: number, level: number, option: number): void {
  const value = Buffer.alloc(4)
  value.writeInt32LE(1)
  checkedCall('setsockopt', setsockopt(fd, level, option, value, value.length))
}

/** `sockaddr_in` or `sockaddr_in6` of the loopback address. */
function loopbackAddress(family: 4 | 6, port: number): Buffer {
  const address = Buffer.alloc(family === 4 ? 16 : 28)
  const number = family === 4 ? inet4Family : inet6Family
  // macOS has one byte of length before one byte of family.
  address.set(isLinux ? [number, 0] : [address.length, number])
  address.writeUInt16BE(port, 2)
  if (family === 4) address.set([127, 0, 0, 1], 4)
  else address[23] = 1
  return address
}

/** The port that a TCP socket is bound to. */
export function localPortOf(fd: number): number {
  const address = Buffer.alloc(28)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(address.length)
  checkedCall('getsockname', getsockname(fd, address, length))
  return address.readUInt16BE(2)
}

/** Orphans among this process's descendants become its children. False where the system cannot do that. */
export function becomeSubreaper(): boolean {
  return prctl(setChildSubreaper, 1, 0, 0, 0) === 0
}

/** Reaps an ended child that no other code waits for; false when there is none of that pid. */
export function reapChild(pid: number): boolean {
  return waitpid(pid, null, waitNoHang) === pid
}

/** The wait status of a child that has ended, which is reaped by that; null while it runs, -1 when it is no child. */
export function waitForChild(pid: number): number | null {
  const status = Buffer.alloc(4)
  const result = Number(waitpid(pid, status, waitNoHang))
  if (result === 0) return null
  return result === pid ? status.readInt32LE(0) : -1
}

/**
 * Calls `start` while the soft limit of file locks is `value`, so that what it starts inherits it; puts the limit back.
 * Gives null for the limit where the system has none or refuses, after calling `start` all the same.
 */
export function withLockLimit<T>(
  value: number,
  start: () => T,
): { readonly result: T; readonly lockLimit: number | null } {
  const before = Buffer.alloc(16)
  if (getrlimit(fileLocksResource, before) !== 0) return { result: start(), lockLimit: null }
  const during = Buffer.from(before)
  during.writeBigUInt64LE(BigInt(value), 0)
  if (setrlimit(fileLocksResource, during) !== 0) return { result: start(), lockLimit: null }
  try {
    return { result: start(), lockLimit: value }
  } finally {
    setrlimit(fileLocksResource, before)
  }
}
