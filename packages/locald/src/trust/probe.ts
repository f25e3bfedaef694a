// A server of ours with a certificate of one CA, for clients to try whether they trust that CA.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { Authorities } from '../certificates/authorities.ts'
import type { Authority } from '../certificates/authority.ts'

export interface Probe extends AsyncDisposable {
  /** The name that its certificate is for. It need not resolve. */
  readonly host: string
  /** On 127.0.0.1. */
  readonly port: number
}

const hourMs = 60 * 60_000

/** Answers every connection with one line and ends it. */
export async function openProbe(authorities: Authorities, authority: Authority): Promise<Probe> {
  const host = `trust-check.${authority.suffixes[0] ?? ''}`
  const now = Date.now()
  const { certificate, key } = await authorities.issue(
    host,
    { notBefore: now - hourMs, notAfter: now + hourMs },
    authority,
  )
  const sockets = new Set<TLSSocket>()
  const server = createServer({ cert: certificate, key }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.resume().end('HTTP/1.0 204 No Content\r\n\r\n')
  })
  server.on('tlsClientError', () => undefined) // who does not trust us says so by ending the handshake
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host,
    port: (server.address() as AddressInfo).port, // it listens on a port
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}
