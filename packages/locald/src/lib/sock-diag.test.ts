import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { openSockDiag, SockDiagTable } from './sock-diag.ts'
import { procTable } from './listening-sockets.ts'
import type { Native } from './sock-diag.ts'
import type { Server } from 'node:net'

const errno = { EINTR: 4, EBADF: 9, EAGAIN: 11 }

/** What a kernel might answer: each entry is one message read, or an error. */
type Answer = Uint8Array | { readonly errno: number } | { readonly length: number }

function message(seq: number, type: number, body: Uint8Array = Buffer.alloc(4), flags = 2): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags, 6)
  header.writeUInt32LE(seq, 8)
  return Buffer.concat([header, body])
}

function socket(seq: number, port: number): Buffer {
  const body = Buffer.alloc(72)
  body[0] = 2
  body.writeUInt16BE(port, 4)
  body.set([127, 0, 0, 1], 8)
  body.writeUInt32LE(1000, 64)
  body.writeUInt32LE(port * 10, 68)
  return message(seq, 20, body)
}

const done = (seq: number): Buffer => message(seq, 3)

/** A kernel that gives these answers in turn; `seq` is that of the request being answered. */
function scripted(answers: readonly ((seq: number) => Answer)[]): Native & { opened: number; closed: number } {
  const queue = [...answers]
  let last = 0
  let seq = 0
  return {
    opened: 0,
    closed: 0,
    socket() {
      return 100 + ++this.opened
    },
    close() {
      return ++this.closed
    },
    send: (_fd, data, length) => {
      seq = Buffer.from(data).readUInt32LE(8)
      return length
    },
    recv: (_fd, data) => {
      const answer = queue.shift()?.(seq) ?? { errno: errno.EAGAIN }
      if ('errno' in answer) {
        last = answer.errno
        return -1
      }
      if (answer instanceof Uint8Array) data.set(answer)
      return answer.length
    },
    errno: () => last,
  }
}

const complete = (port: number) => (seq: number) => Buffer.concat([socket(seq, port), done(seq)])
const empty = (seq: number): Buffer => done(seq)

describe('SockDiagTable', () => {
  test('reads a dump of several parts', async () => {
    using table = new SockDiagTable(
      scripted([(seq) => Buffer.concat([socket(seq, 80), socket(seq, 81)]), (seq) => socket(seq, 82), done, empty]),
    )
    const found = await table.read()
    expect(found.map(({ port }) => port)).toEqual([80, 81, 82])
    expect(found[0]).toEqual({ family: 4, port: 80, address: '127.0.0.1', uid: 1000, inode: 800, pid: null })
  })

  test('goes on after an interrupted call', async () => {
    using table = new SockDiagTable(scripted([() => ({ errno: errno.EINTR }), complete(80), empty]))
    expect(await table.read()).toHaveLength(1)
  })

  test('asks again on a new socket when a dump breaks off, and gives nothing twice', async () => {
    const native = scripted([(seq) => socket(seq, 80), () => ({ errno: errno.EAGAIN }), complete(80), empty])
    using table = new SockDiagTable(native)
    expect(await table.read()).toHaveLength(1)
    expect(native).toMatchObject({ opened: 2, closed: 1 })
  })

  test('asks again with more room when a message is longer than the buffer', async () => {
    using table = new SockDiagTable(scripted([() => ({ length: 200_000 }), complete(80), empty]))
    expect(await table.read()).toHaveLength(1)
  })

  test('asks again when the table changed under the dump', async () => {
    using table = new SockDiagTable(scripted([(seq) => message(seq, 3, Buffer.alloc(4), 0x10), complete(80), empty]))
    expect(await table.read()).toHaveLength(1)
  })

  test('opens a new socket when somebody closed the one it had', async () => {
    const native = scripted([complete(80), empty, () => ({ errno: errno.EBADF }), complete(81), empty])
    using table = new SockDiagTable(native)
    await table.read()
    expect((await table.read()).map(({ port }) => port)).toEqual([81])
  })

  test('passes over what is left of an earlier answer', async () => {
    using table = new SockDiagTable(scripted([(seq) => socket(seq - 1, 79), complete(80), empty]))
    expect((await table.read()).map(({ port }) => port)).toEqual([80])
  })

  test('fails with the number of the error when the kernel keeps refusing', async () => {
    const refusal = (seq: number): Buffer => {
      const body = Buffer.alloc(20)
      body.writeInt32LE(-2, 0)
      return message(seq, 2, body)
    }
    const native = scripted([refusal, refusal, refusal, refusal])
    await expect(new SockDiagTable(native).read()).rejects.toThrow('errno 2')
    expect(native.closed).toBe(native.opened)
  })
})

describe.runIf(process.platform === 'linux')('openSockDiag()', () => {
  test('sees hundreds of listeners, the same as /proc shows', async () => {
    const servers = await Promise.all(Array.from({ length: 300 }, listening))
    using table = await openSockDiag()
    const ports = new Set(servers.map((server) => portOf(server)))
    const own = (found: readonly { readonly port: number }[]) =>
      found.filter(({ port }) => ports.has(port)).sort((a, b) => a.port - b.port)
    const byNetlink = own((await table?.read()) ?? [])
    expect(byNetlink).toHaveLength(300)
    expect(byNetlink).toEqual(own(await procTable.read()))
    await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))))
  })
})

async function listening(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
