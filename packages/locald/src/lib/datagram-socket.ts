// Datagrams over unix sockets with the kernel's word on who sent them; Node's `dgram` knows no unix sockets.
import { chmodSync, closeSync, rmSync } from 'node:fs'
import koffi from 'koffi'
import { checkedCall, setCloseOnExec, setNonBlocking } from './native.ts'

const isLinux = process.platform === 'linux'
const libc = koffi.load(null)

// Numbers from the systems' headers.
const unixFamily = 1
const datagramSocket = 2
const socketLevel = isLinux ? 1 : 0xffff
const passCredentials = 16
const rightsMessage = 1
const credentialsMessage = 2
const doNotWait = isLinux ? 0x40 : 0x80
const closeDescriptorsOnExec = 0x40000000

const socket = libc.func('int socket(int, int, int)')
const bind = libc.func('int bind(int, const void *, unsigned int)')
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, unsigned int)')
const recvmsg = libc.func('long recvmsg(int, void *, int)')
const recv = libc.func('long recv(int, void *, unsigned long, int)')

/** Who sent a datagram, as the kernel saw it at that moment. */
export interface Sender {
  /** 0 when the sender is of a pid namespace that cannot be seen from here. */
  readonly pid: number
  readonly uid: number
}

export interface Datagram {
  readonly bytes: Buffer
  /** It was longer than {@link longestDatagram}; the rest is lost. */
  readonly isTruncated: boolean
  /** Null where the system does not tell. */
  readonly sender: Sender | null
  /** Open descriptors that came with it, not inherited by children; whoever receives it closes them. */
  readonly descriptors: readonly number[]
}

export const longestDatagram = 4096

/**
 * A datagram socket bound to an address: a path, or on Linux a name that begins with "@", which is in no file system and
 * goes with the socket. Never waits, and is not inherited by children. Throws with the system's `code`.
 */
export function bindDatagramSocket(address: string): number {
  const name = Buffer.from(address.startsWith('@') ? `\0${address.slice(1)}` : `${address}\0`)
  // macOS has one byte of length before one byte of family.
  const family = isLinux ? Buffer.from([unixFamily, 0]) : Buffer.from([name.length + 2, unixFamily])
  const bytes = Buffer.concat([family, name])
  const fd = checkedCall('socket', socket(unixFamily, datagramSocket, 0))
  try {
    setCloseOnExec(fd)
    setNonBlocking(fd)
    if (isLinux) {
      const on = Buffer.from([1, 0, 0, 0])
      checkedCall('setsockopt', setsockopt(fd, socketLevel, passCredentials, on, on.length))
    }
    checkedCall('bind', bind(fd, bytes, bytes.length))
    // Who can reach the file at all is for its directory to say.
    if (!address.startsWith('@')) chmodSync(address, 0o777)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Closes what {@link bindDatagramSocket} made. */
export function closeDatagramSocket(fd: number, address: string): void {
  closeSync(fd)
  if (!address.startsWith('@')) rmSync(address, { force: true })
}

// One set of buffers for all sockets: nothing of them is kept beyond a call. A message can carry 253 descriptors.
const data = Buffer.alloc(longestDatagram + 1)
const control = Buffer.alloc(2048)
const vector = Buffer.alloc(16)
const header = Buffer.alloc(56)

/** The next datagram; null when none is waiting. */
export function receiveDatagram(fd: number): Datagram | null {
  return isLinux ? receiveWithCredentials(fd) : receivePlain(fd)
}

/** https://man7.org/linux/man-pages/man2/recv.2.html, cmsg(3), unix(7); the layout is that of 64-bit Linux. */
function receiveWithCredentials(fd: number): Datagram | null {
  vector.writeBigUInt64LE(koffi.address(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  header.fill(0)
  header.writeBigUInt64LE(koffi.address(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(koffi.address(control), 32)
  header.writeBigUInt64LE(BigInt(control.length), 40)
  const length = Number(recvmsg(fd, header, doNotWait | closeDescriptorsOnExec))
  if (length < 0) return null
  let sender: Sender | null = null
  const descriptors: number[] = []
  const end = Number(header.readBigUInt64LE(40))
  for (let at = 0; at + 16 <= end;) {
    const size = Number(control.readBigUInt64LE(at))
    if (size < 16) break
    if (control.readInt32LE(at + 8) === socketLevel) {
      const kind = control.readInt32LE(at + 12)
      if (kind === credentialsMessage) {
        sender = { pid: control.readInt32LE(at + 16), uid: control.readUInt32LE(at + 20) }
      } else if (kind === rightsMessage) {
        for (let one = at + 16; one + 4 <= at + size; one += 4) descriptors.push(control.readInt32LE(one))
      }
    }
    at += (size + 7) & ~7
  }
  return { ...taken(length), sender, descriptors }
}

/** Without ancillary data the system drops descriptors by itself, and tells nothing of the sender. */
function receivePlain(fd: number): Datagram | null {
  const length = Number(recv(fd, data, data.length, doNotWait))
  return length < 0 ? null : { ...taken(length), sender: null, descriptors: [] }
}

function taken(length: number): Pick<Datagram, 'bytes' | 'isTruncated'> {
  return {
    bytes: Buffer.from(data.subarray(0, Math.min(length, longestDatagram))),
    isTruncated: length > longestDatagram,
  }
}
