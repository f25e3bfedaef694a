// Lists listening TCP sockets through netlink: 15 to 50 µs a dump, where /proc/net/tcp takes milliseconds.
// https://man7.org/linux/man-pages/man7/sock_diag.7.html; layouts from linux/netlink.h and linux/inet_diag.h.
import { addressText } from './listener.ts'
import type { Listener, ListenerTable } from './listener.ts'

const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
/** NLM_F_REQUEST, NLM_F_ROOT, NLM_F_MATCH. */
const dumpRequest = 0x301
const IPPROTO_TCP = 6
const TCP_LISTEN = 10
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLM_F_DUMP_INTR = 0x10
/** The length of the whole message is wanted even where the buffer is too short for it. */
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
const EINTR = 4

const requestBytes = 72
const headerBytes = 16

export interface Native {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly send: (fd: number, data: Uint8Array, length: number, flags: number) => number
  readonly recv: (fd: number, data: Uint8Array, length: number, flags: number) => number
  readonly close: (fd: number) => number
  readonly errno: () => number
}

/** A dump that has to be asked for again, on a new socket; `errno` 0 when it was cut or interrupted. */
class DumpFailed extends Error {
  readonly errno: number
  constructor(action: string, errno: number) {
    super(`Cannot ${action} a netlink socket: errno ${errno}`)
    this.errno = errno
  }
}

export class SockDiagTable implements ListenerTable {
  readonly #native: Native
  readonly #request = Buffer.alloc(requestBytes)
  #buffer = Buffer.allocUnsafe(64 * 1024)
  #fd = -1
  #seq = 0

  constructor(native: Native) {
    this.#native = native
  }

  /** Async only in form: the kernel answers while it is asked. */
  async read(): Promise<readonly Listener[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        const found: Listener[] = []
        this.#dump(AF_INET, found)
        this.#dump(AF_INET6, found)
        return found
      } catch (error) {
        // What is left of a dump would be taken for the answer to the next one.
        this[Symbol.dispose]()
        if (!(error instanceof DumpFailed) || attempt === 4) throw error
      }
    }
  }

  #dump(family: number, found: Listener[]): void {
    this.#seq = (this.#seq + 1) >>> 0
    this.#ask(family)
    for (;;) {
      const length = this.#receive()
      if (length > this.#buffer.length) {
        this.#buffer = Buffer.allocUnsafe(length * 2)
        throw new DumpFailed('read a whole message from', 0)
      }
      if (this.#parse(length, found)) return
    }
  }

  #ask(family: number): void {
    if (this.#fd === -1) {
      this.#fd = this.#native.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
      if (this.#fd === -1) throw new DumpFailed('open', this.#native.errno())
    }
    const request = this.#request
    request.writeUInt32LE(requestBytes, 0)
    request.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4)
    request.writeUInt16LE(dumpRequest, 6)
    request.writeUInt32LE(this.#seq, 8)
    request[headerBytes] = family
    request[headerBytes + 1] = IPPROTO_TCP
    request.writeUInt32LE(1 << TCP_LISTEN, headerBytes + 4)
    while (this.#native.send(this.#fd, request, requestBytes, 0) === -1) this.#failUnlessInterrupted('write to')
  }

  #receive(): number {
    for (;;) {
      const length = this.#native.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT | MSG_TRUNC)
      if (length > 0) return length
      if (length === 0) throw new DumpFailed('read from', 0)
      this.#failUnlessInterrupted('read from')
    }
  }

  #failUnlessInterrupted(action: string): void {
    const errno = this.#native.errno()
    if (errno !== EINTR) throw new DumpFailed(action, errno)
  }

  /** True when the dump is complete. */
  #parse(length: number, found: Listener[]): boolean {
    const data = this.#buffer
    for (let at = 0; at + headerBytes <= length;) {
      const size = data.readUInt32LE(at)
      if (size < headerBytes || at + size > length) throw new DumpFailed('understand', 0)
      const type = data.readUInt16LE(at + 4)
      if ((data.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) !== 0) throw new DumpFailed('read a consistent dump from', 0)
      if (data.readUInt32LE(at + 8) === this.#seq) {
        if (type === NLMSG_DONE) return true
        if (type === NLMSG_ERROR) throw new DumpFailed('ask', -data.readInt32LE(at + headerBytes))
        if (type === SOCK_DIAG_BY_FAMILY) found.push(listenerAt(data, at))
      }
      at += (size + 3) & ~3
    }
    return false
  }

  [Symbol.dispose](): void {
    if (this.#fd !== -1) this.#native.close(this.#fd)
    this.#fd = -1
  }
}

function listenerAt(data: Buffer, at: number): Listener {
  const isIpv6 = data[at + 16] === AF_INET6
  return {
    family: isIpv6 ? 6 : 4,
    port: data.readUInt16BE(at + 20),
    address: addressText(data.subarray(at + 24, at + 24 + (isIpv6 ? 16 : 4))),
    uid: data.readUInt32LE(at + 80),
    inode: data.readUInt32LE(at + 84),
    pid: null,
  }
}

/** Null where the kernel or the native library does not offer it, such as under gVisor. Loads the library on first use. */
export async function openSockDiag(): Promise<ListenerTable | null> {
  try {
    const table = new SockDiagTable(await loadNative())
    await table.read()
    return table
  } catch {
    // Whatever is missing, the caller has another way; there is nobody to whom the reason would matter.
    return null
  }
}

async function loadNative(): Promise<Native> {
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  return {
    socket: libc.func('int socket(int, int, int)') as unknown as Native['socket'],
    send: libc.func('intptr_t send(int, void *, size_t, int)') as unknown as Native['send'],
    recv: libc.func('intptr_t recv(int, void *, size_t, int)') as unknown as Native['recv'],
    close: libc.func('int close(int)') as unknown as Native['close'],
    errno: () => koffi.errno(),
  }
}
