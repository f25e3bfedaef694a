// A TCP socket in state LISTEN, however it was found.

export interface Listener {
  /** 6 also for a socket that serves both: it stands only in the IPv6 table. */
  readonly family: 4 | 6
  readonly port: number
  /** Text that `net.connect` understands; `0.0.0.0` and `::` are wildcards. */
  readonly address: string
  readonly uid: number
  /** Names the socket for as long as it lives. */
  readonly inode: number
  /** One of its processes where the system tells it along (macOS), else null. */
  readonly pid: number | null
}

/** Where sockets are listed from. */
export interface ListenerTable extends Disposable {
  /** Every listening TCP socket of this network namespace. Rejects when the system offers no way to list them. */
  read(): Promise<readonly Listener[]>
}

/** Text of an IPv4 address of 4 bytes or an IPv6 address of 16, in network order. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: number[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
  const { start, length } = longestZeroRun(groups)
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}

/** Whether a connection to `localhost` can arrive at a socket bound to this address. */
export function servesLoopback(address: string): boolean {
  return (
    address === '0.0.0.0' || address === '::' || address === '::1' || /^127\.|^::ffff:(7f|127\.|0:0$|0\.)/.test(address)
  )
}
