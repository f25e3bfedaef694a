// A DNS server on loopback for suffixes of one's own, over UDP and TCP.
import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { isErrno } from '../lib/errno.ts'
import type { Logger } from '../lib/logger.ts'
import { dnsAnswer, maxQuestionBytes } from './dns-answer.ts'
import type { DnsSetup } from './resolved-drop-in.ts'

/** Connections at a time; a resolver uses one or two. */
const maxConnections = 32
const idleMs = 5000
const loopback = ['127.0.0.1', '::1'] as const

/** Serves until it is disposed of. A malformed question costs its sender the answer and nobody else anything. */
export class DnsServer implements AsyncDisposable {
  readonly port: number
  readonly #udp: UdpSocket[]
  readonly #tcp: Server[]
  readonly #connections: ReadonlySet<Socket>

  private constructor(port: number, udp: UdpSocket[], tcp: Server[], connections: ReadonlySet<Socket>) {
    this.port = port
    this.#udp = udp
    this.#tcp = tcp
    this.#connections = connections
  }

  /** Port 0: any free one. Rejects when 127.0.0.1 has no room for it; ::1 need not exist. */
  static async open({ port, suffixes }: DnsSetup, logger: Logger): Promise<DnsServer> {
    const connections = new Set<Socket>()
    const tcp: Server[] = []
    const udp: UdpSocket[] = []
    const opened = new DnsServer(port, udp, tcp, connections)
    try {
      let common = port
      for (const address of loopback) {
        try {
          const server = tcpServer(suffixes, connections, logger)
          common = await listen(server, common, address)
          tcp.push(server)
          const socket = udpSocket(address, suffixes, logger)
          udp.push(socket)
          await bind(socket, common, address)
        } catch (error) {
          if (address === '127.0.0.1' || isTaken(error)) throw error
          logger.log('info', 'No DNS over IPv6', { error })
        }
      }
      return new DnsServer(common, udp, tcp, connections)
    } catch (error) {
      await opened[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy()
    await Promise.all([
      ...this.#udp.splice(0).map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
      ...this.#tcp.splice(0).map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    ])
  }
}

function udpSocket(address: (typeof loopback)[number], suffixes: readonly string[], logger: Logger): UdpSocket {
  const socket = createSocket({ type: address === '::1' ? 'udp6' : 'udp4', ipv6Only: address === '::1' })
  socket.on('message', (message, { port, address: from }) => {
    const answer = dnsAnswer(message, suffixes)
    // Whoever does not wait for the answer any more is no reason for concern.
    if (answer !== null) socket.send(answer, port, from, () => undefined)
  })
  socket.on('error', (error) => logger.log('warn', 'DNS over UDP failed', { error }))
  return socket
}

/** https://www.rfc-editor.org/rfc/rfc7766: each message behind its length, several in a connection. */
function tcpServer(suffixes: readonly string[], connections: Set<Socket>, logger: Logger): Server {
  const server = createServer((socket) => {
    connections.add(socket)
    let waiting: Buffer = Buffer.alloc(0)
    socket.setTimeout(idleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.once('close', () => connections.delete(socket))
    socket.on('data', (chunk) => {
      waiting = answerAll(Buffer.concat([waiting, chunk]), socket, suffixes)
    })
  })
  server.maxConnections = maxConnections
  server.on('error', (error) => logger.log('warn', 'DNS over TCP failed', { error }))
  return server
}

/** Returns what is left: the beginning of a question. Whoever sends none, or does not read the answers, is let go. */
function answerAll(bytes: Buffer, socket: Socket, suffixes: readonly string[]): Buffer {
  let rest = bytes
  while (rest.length >= 2) {
    const end = 2 + rest.readUInt16BE(0)
    if (end <= 2 + maxQuestionBytes && rest.length < end) break
    const answer = dnsAnswer(rest.subarray(2, end), suffixes)
    if (answer === null || socket.writableLength > maxQuestionBytes) {
      socket.destroy()
      return Buffer.alloc(0)
    }
    const size = Buffer.alloc(2)
    size.writeUInt16BE(answer.length)
    socket.write(Buffer.concat([size, answer]))
    rest = rest.subarray(end)
  }
  return rest
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, exclusive: true, ipv6Only: true }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

function bind(socket: UdpSocket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port, address, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
}

function isTaken(error: unknown): boolean {
  return isErrno(error, 'EADDRINUSE', 'EACCES')
}
