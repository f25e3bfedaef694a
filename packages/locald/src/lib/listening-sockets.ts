// Who listens on which TCP port of this machine, by the cheapest way that the system offers.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isErrno } from './errno.ts'
import { addressText } from './listener.ts'
import { openSockDiag } from './sock-diag.ts'
import type { Listener, ListenerTable } from './listener.ts'

/** Linux: netlink, else /proc/net/tcp. macOS: lsof, which has not been tried. Dispose of it when done. */
export async function openListenerTable(platform: NodeJS.Platform = process.platform): Promise<ListenerTable> {
  if (platform === 'darwin') return new LsofTable()
  return (await openSockDiag()) ?? procTable
}

/** One reading, for those who do not come back. */
export async function listListeners(): Promise<readonly Listener[]> {
  using table = await openListenerTable()
  return await table.read()
}

/** Reads /proc/net/tcp and tcp6; slow where many connections are open. */
export const procTable: ListenerTable = {
  read: async () => {
    const [ipv4, ipv6] = await Promise.all([
      readFile('/proc/net/tcp', 'latin1'),
      // A kernel without IPv6 has no such file.
      readFile('/proc/net/tcp6', 'latin1').catch((error: unknown) => {
        if (isErrno(error, 'ENOENT')) return ''
        throw error
      }),
    ])
    return [...parseProcNetTcp(ipv4, 4), ...parseProcNetTcp(ipv6, 6)]
  },
  [Symbol.dispose]: () => {},
}

/** https://docs.kernel.org/networking/proc_net_tcp.html; addresses are words in the byte order of a little-endian host. */
export function parseProcNetTcp(text: string, family: 4 | 6): readonly Listener[] {
  const found: Listener[] = []
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const [address, port] = fields[1]?.split(':') ?? []
    if (fields[3] !== '0A' || address === undefined || port === undefined) continue
    const bytes = Buffer.from(address, 'hex')
    bytes.swap32()
    found.push({
      family,
      port: Number.parseInt(port, 16),
      address: addressText(bytes),
      uid: Number(fields[7]),
      inode: Number(fields[9]),
      pid: null,
    })
  }
  return found
}

/** macOS has no inodes for sockets: the kernel's address of each is given a number of our own. */
class LsofTable implements ListenerTable {
  readonly #numbers = new Map<string, number>()
  #last = 0

  async read(): Promise<readonly Listener[]> {
    const { stdout } = await promisify(execFile)('lsof', ['-nP', '-iTCP', '-sTCP:LISTEN', '-F', 'pudtn']).catch(
      // It exits with 1 when it finds nothing at all.
      (error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 1) return { stdout: '' }
        throw error
      },
    )
    const found = parseLsof(stdout)
    const seen = new Set(found.map(({ device }) => device))
    for (const device of this.#numbers.keys()) if (!seen.has(device)) this.#numbers.delete(device)
    return found.map(({ device, ...listener }) => ({ ...listener, inode: this.#number(device) }))
  }

  #number(device: string): number {
    const number = this.#numbers.get(device) ?? ++this.#last
    this.#numbers.set(device, number)
    return number
  }

  [Symbol.dispose](): void {
    this.#numbers.clear()
  }
}

type LsofListener = Omit<Listener, 'inode'> & { readonly device: string }

/** Output of `lsof -F pudtn`: one field a line, its kind in the first letter, a new file at each `f`. */
export function parseLsof(text: string): readonly LsofListener[] {
  const found: LsofListener[] = []
  let pid = 0
  let uid = 0
  let type = ''
  let device = ''
  for (const line of text.split('\n')) {
    const value = line.slice(1)
    if (line.startsWith('p')) pid = Number(value)
    else if (line.startsWith('u')) uid = Number(value)
    else if (line.startsWith('t')) type = value
    else if (line.startsWith('d')) device = value
    else if (line.startsWith('n')) {
      const colon = value.lastIndexOf(':')
      const family = type === 'IPv6' ? 6 : 4
      const host = value.slice(0, colon).replace(/^\[|\]$/g, '')
      const address = host === '*' ? (family === 6 ? '::' : '0.0.0.0') : host
      const port = Number(value.slice(colon + 1))
      // Several processes share a socket that was opened before a fork; one of them is enough.
      if (Number.isInteger(port) && !found.some((one) => one.device === device))
        found.push({ family, port, address, uid, pid, device })
    }
  }
  return found
}
