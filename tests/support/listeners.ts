// Which TCP ports of this machine are listened on, whoever does.
import { readFileSync } from 'node:fs'

const listenState = '0A'

/** Ports with a listener on any address, IPv4 and IPv6. */
export function listeningPorts(): ReadonlySet<number> {
  const ports = new Set<number>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const [, local = '', , state] = line.trim().split(/\s+/u)
      if (state === listenState) ports.add(Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16))
    }
  }
  return ports
}
