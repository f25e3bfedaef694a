// Who has a port: for messages that name the one in the way.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { isErrno } from './errno.ts'
import { listListeners } from './listening-sockets.ts'
import type { Listener } from './listener.ts'

/** A listener, with as much of its owner as this user may see. */
export interface PortHolder {
  readonly port: number
  readonly address: string
  /** Null when the descriptors of its process cannot be read. */
  readonly pid: number | null
  /** The command line of `pid`, cut at 80 characters. */
  readonly command: string | null
  /** The user's name, or the number as text where it has none. */
  readonly user: string
}

/** Who listens on this port, on whatever address; null when nobody does. */
export async function holderOf(port: number): Promise<PortHolder | null> {
  const listener = (await listListeners()).find((one) => one.port === port)
  return listener === undefined ? null : await holderOfListener(listener)
}

/** Who has this socket. Looks through all processes, without holding up the event loop for long. */
export async function holderOfListener(listener: Listener): Promise<PortHolder> {
  const holders = await holdersOf([listener])
  return holders.get(listener.inode) ?? holderWith(listener, null)
}

/** By inode, who has each of these sockets; one look through all processes. */
export async function holdersOf(listeners: readonly Listener[]): Promise<ReadonlyMap<number, PortHolder>> {
  const pids = await pidsOfInodes(new Set(listeners.filter(({ pid }) => pid === null).map(({ inode }) => inode)))
  return new Map(
    listeners.map((listener) => [
      listener.inode,
      holderWith(listener, listener.pid ?? pids.get(listener.inode) ?? null),
    ]),
  )
}

function holderWith(listener: Listener, pid: number | null): PortHolder {
  const { port, address, uid } = listener
  return { port, address, pid, command: pid === null ? null : commandOf(pid), user: userName(uid) }
}

/** `pid 123 (nginx)`, or the user where the process is out of sight. */
export function describeHolder(holder: PortHolder): string {
  if (holder.pid === null) return `a process of user "${holder.user}"`
  return holder.command === null ? `pid ${holder.pid}` : `pid ${holder.pid} (${holder.command})`
}

/**
 * Whether a server could listen on this port now, on every address. Found out by listening for a moment, which also sees
 * sockets that are bound but do not listen.
 */
export async function isPortFree(port: number): Promise<boolean> {
  // The IPv6 wildcard takes IPv4 too; a system without IPv6 refuses it.
  const answer = await tryListening(port, '::')
  if (answer === 'EAFNOSUPPORT' || answer === 'EADDRNOTAVAIL' || answer === 'EINVAL')
    return (await tryListening(port, '0.0.0.0')) === null
  return answer === null
}

async function tryListening(port: number, host: string): Promise<string | null> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

export interface Owners {
  /** Inode to the first process found to have it open. */
  readonly owners: ReadonlyMap<number, number>
  /** Processes whose descriptors this user may not see: another user's, or such that gained privileges. */
  readonly unreadable: readonly number[]
}

/** Looks for sockets among the descriptors of these processes only; stops when all are found. Linux. */
export function ownersOf(inodes: ReadonlySet<number>, pids: Iterable<number>): Owners {
  const wanted = new Map<string, number>()
  for (const inode of inodes) wanted.set(`socket:[${inode}]`, inode)
  const owners = new Map<number, number>()
  const unreadable: number[] = []
  for (const pid of pids) {
    if (wanted.size === 0) break
    for (const link of descriptorsOf(pid, unreadable)) {
      const inode = wanted.get(link)
      if (inode === undefined) continue
      owners.set(inode, pid)
      wanted.delete(link)
    }
  }
  return { owners, unreadable }
}

function* descriptorsOf(pid: number, unreadable: number[]): Iterable<string> {
  const directory = `/proc/${pid}/fd`
  let names: readonly string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    // Any other error: it has ended.
    if (isErrno(error, 'EACCES')) unreadable.push(pid)
    return
  }
  for (const name of names) {
    try {
      yield readlinkSync(`${directory}/${name}`)
    } catch {
      // Closed since the directory was read.
    }
  }
}

async function pidsOfInodes(inodes: Set<number>): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>()
  let since = performance.now()
  for (const name of inodes.size === 0 ? [] : processNames()) {
    for (const [inode, pid] of ownersOf(inodes, [Number(name)]).owners) {
      found.set(inode, pid)
      inodes.delete(inode)
    }
    if (inodes.size === 0) break
    if (performance.now() - since < 5) continue
    await new Promise((resolve) => setImmediate(resolve))
    since = performance.now()
  }
  return found
}

function processNames(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    // No /proc: the system told the pid along with the listener, or there is none to be found.
    return []
  }
}

function commandOf(pid: number): string | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
    const text = words === '' ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : words
    return text.length > 80 ? `${text.slice(0, 79)}…` : text
  } catch {
    // It has ended, or the system has no /proc.
    return null
  }
}

function userName(uid: number): string {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(uid))
    return line?.split(':')[0] ?? String(uid)
  } catch {
    return String(uid)
  }
}
