// Listening sockets that one process hands to another, and how it tells which they are.

/** A TCP socket that is bound to the loopback interface and listens. */
export interface InheritedListener {
  readonly fd: number
  readonly port: number
  readonly family: 4 | 6
  /** For HTTPS; otherwise for HTTP. */
  readonly tls: boolean
}

/** The environment variable that lists them, as JSON. */
export const listenersVariable = 'LOCALD_LISTENERS'

/** The variable of a process that gets these. Empty: none. */
export function listenersText(listeners: readonly InheritedListener[]): string {
  return JSON.stringify(listeners)
}

/** What such a variable lists; nothing when it says nothing that can be understood. */
export function parseListeners(text: string | undefined): readonly InheritedListener[] {
  try {
    const listed: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(listed) ? listed.filter(isListener) : []
  } catch {
    return [] // of somebody else
  }
}

function isListener(value: unknown): value is InheritedListener {
  if (typeof value !== 'object' || value === null) return false
  if (!('fd' in value && 'port' in value && 'family' in value && 'tls' in value)) return false
  const { fd, port, family, tls } = value
  return Number.isInteger(fd) && Number.isInteger(port) && (family === 4 || family === 6) && typeof tls === 'boolean'
}
