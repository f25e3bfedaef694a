// Connections that have not agreed on TLS yet. They have descriptors like all others, and so they take places like them.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ClientConnection, ConnectionRegistry } from './connection-registry.ts'

export class Handshakes {
  readonly #registry: ConnectionRegistry
  /** By the other end: Node does not tell which socket is within which. */
  readonly #places = new Map<string, ClientConnection>()

  constructor(registry: ConnectionRegistry) {
    this.#registry = registry
  }

  /** A place until `end`, or until it closes; it is closed at once when there is none. Its time is the listener's to limit. */
  begin(socket: Socket): void {
    const key = otherEnd(socket)
    const place: ClientConnection = {
      deadline: Infinity,
      isIdle: true,
      stalledSince: Infinity,
      look: () => undefined,
      onDeadline: () => undefined,
      destroy: () => socket.destroy(),
    }
    if (!this.#registry.add(place)) {
      socket.destroy()
      return
    }
    this.#places.set(key, place)
    socket.once('close', () => this.#free(key, place))
  }

  /** What follows takes a place of its own. */
  end(socket: TLSSocket): void {
    const key = otherEnd(socket)
    const place = this.#places.get(key)
    if (place !== undefined) this.#free(key, place)
  }

  #free(key: string, place: ClientConnection): void {
    this.#registry.delete(place)
    if (this.#places.get(key) === place) this.#places.delete(key)
  }
}

function otherEnd({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}
