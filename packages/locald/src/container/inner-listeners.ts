// Whether a container listens on a port inside: a published port accepts connections before anything does.
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { parseProcNetTcp } from '../lib/listening-sockets.ts'

export type InnerState =
  | { readonly type: 'listening' }
  | { readonly type: 'silent' }
  /** On the loopback address of the container, which nobody outside of it can reach. */
  | { readonly type: 'loopback'; readonly address: string }

/** An accepted connection that holds for so long has somebody behind it; docker-proxy hangs up within a few. */
const heldMs = 100

/**
 * Reads the container's own table of sockets, which the kernel shows to every user by the pid of any of its processes; no
 * connection is made that would show in the service's log. Where that cannot be seen (`pid` null: Docker Desktop's machine) a
 * connection to the published port has to hold: what forwards it accepts first, and hangs up when nobody listens inside.
 */
export async function innerState(
  pid: number | null,
  port: { readonly container: number; readonly host: number },
): Promise<InnerState> {
  const tables = pid === null ? null : await readTables(pid)
  if (tables === null) return { type: (await connectionHolds(port.host)) ? 'listening' : 'silent' }
  const found = tables.filter((listener) => listener.port === port.container)
  const [first] = found
  if (first === undefined) return { type: 'silent' }
  const isReachable = found.some(({ address }) => !/^(?:127\.|::1$|::ffff:(?:7f|127\.))/.test(address))
  return isReachable ? { type: 'listening' } : { type: 'loopback', address: first.address }
}

/** Null: not to be seen, or gone. */
async function readTables(pid: number): Promise<ReturnType<typeof parseProcNetTcp> | null> {
  try {
    const [ipv4, ipv6] = await Promise.all([
      readFile(`/proc/${pid}/net/tcp`, 'latin1'),
      readFile(`/proc/${pid}/net/tcp6`, 'latin1').catch(() => ''), // a kernel without IPv6 has none
    ])
    return [...parseProcNetTcp(ipv4, 4), ...parseProcNetTcp(ipv6, 6)]
  } catch {
    return null
  }
}

async function connectionHolds(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (holds: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(holds)
    }
    const timer = setTimeout(() => end(!socket.connecting), heldMs)
    socket.once('data', () => end(true))
    socket.once('end', () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

/** The pid that the engine tells, when it is one of this machine and of that container. */
export async function ownPid(pid: number, container: string): Promise<number | null> {
  if (pid <= 0) return null
  try {
    return (await readFile(`/proc/${pid}/cgroup`, 'latin1')).includes(container) ? pid : null
  } catch {
    return null
  }
}
