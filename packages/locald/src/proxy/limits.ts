// What bounds a client's demands. Milliseconds and bytes.

/** Of a request's or an answer's head. */
export const mostHeadBytes = 64 * 1024
export const mostFields = 200
/** Informational answers (100, 103) to one request; the next one ends it. */
export const mostInformations = 100
/** Bytes taken from a client ahead of what its request needs; then it is not read any more. */
export const mostAheadBytes = 64 * 1024
/** Of an answer, in one read: what came meanwhile of all that a service sends at once. */
export const readBytes = 640 * 1024
/** Of an answer, that wait for the client; then its service waits too. */
export const mostUnsentBytes = 640 * 1024
/** Of all answers that wait for their clients. Beyond that each may be read, and may wait, only as far as the next says. */
export const mostUnsentInAllBytes = 64 * 1024 * 1024
export const fewUnsentBytes = 32 * 1024
/** How long a client may take for what, in milliseconds. */
export interface ClientTimes {
  /** From the first byte of a request's head to its last. */
  readonly headMs: number
  /** A connection without a request. */
  readonly idleMs: number
  /** A request's body of which nothing more comes, or an answer of which nothing more is taken. */
  readonly bodyIdleMs: number
  /** How long a connection is read after an answer that came before the end of the request. */
  readonly lingerMs: number
}

export const clientTimes: ClientTimes = { headMs: 10_000, idleMs: 75_000, bodyIdleMs: 300_000, lingerMs: 2_000 }
export const handshakeMs = 10_000
/** Over all listeners. When there are more, the one that has been idle, or else stalled, for the longest time is closed. */
export const mostConnections = 4096
/** Whoever has stalled for so long may lose its place to somebody else, in milliseconds. */
export const patienceMs = 1_000
/** Connections of HTTP/2 that may send much ahead of what is read of it; all others wait for it to be read. */
export const mostWideSessions = 32
export const mostStreams = 250
/** Waiting for a service, over all services. */
export const mostHeldRequests = 1024
/** Sent to services, or about to be: each has a connection of its own. */
export const mostSentRequests = 4096
/** Node closes an idle connection after 5 s: ours are not used when they are nearly that old. */
export const upstreamIdleMs = 4_000
export const mostIdleUpstreams = 256
/** A service that counts as up and accepts no connection is given this long to do so. */
export const refusedMs = 3_000
/** Once one side of a WebSocket has ended, the other one may say nothing for so long: it may hang, and never hear of it. */
export const endedWebSocketMs = 2_000
/** A connection to a service that takes longer is waited for like a service that starts. */
export const slowDialMs = 200
/** Rounds through the proxy after which a request is taken for a loop. */
export const mostHops = 4
/** Between two attempts to connect to a service that is said to be up. */
export const redialMs = 50
/** A browser waits so long for a service that starts, before it gets a page instead. */
export const pageGraceMs = 700
/** How long the daemon may take to describe a service for a page. */
export const describeMs = 1_500
