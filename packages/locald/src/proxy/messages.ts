// What the daemon and the proxy's thread say to each other.
import type { LogLevel } from '../lib/logger.ts'
import type { ServiceDescription } from './pages/service-description.ts'
import type { RouteTable } from './route-table.ts'

export type ToProxy =
  | { readonly type: 'routes'; readonly table: RouteTable }
  /**
   * New requests to this instance are held, or go to its siblings, from now on: until the next `routes` that names it
   * among its service's upstreams, so one that goes out meanwhile leaves it out. Answered by `drained`.
   */
  | {
      readonly type: 'drain'
      readonly id: number
      readonly service: string
      readonly instance: number
      readonly timeoutMs: number
    }
  /** Answers `describe`; null: there is no such service any more. */
  | { readonly type: 'described'; readonly id: number; readonly description: ServiceDescription | null }
  /** What the pages of a service that was named by `watched` show from now on; null as above. */
  | { readonly type: 'show'; readonly service: string; readonly description: ServiceDescription | null }
  /** Makes the certificate authorities for these suffixes, if none covers them; answered by `ensured`. Certificates wait for it. */
  | { readonly type: 'ensure'; readonly suffixes: readonly string[] }
  | { readonly type: 'close' }

export type FromProxy =
  | { readonly type: 'ensured'; readonly suffixes: readonly string[] }
  /** Every listener accepts connections. Those that came earlier waited in the backlog. */
  | { readonly type: 'listening' }
  /** `open` requests were still under way when the time was up; WebSockets and event streams do not count. */
  | { readonly type: 'drained'; readonly id: number; readonly open: number }
  /** A request wants an idle service; sent once a service until a `routes` shows another state. */
  | { readonly type: 'wanted'; readonly service: string }
  /** What a page shows: asked for when a starting or failure page is served. */
  | { readonly type: 'describe'; readonly id: number; readonly service: string }
  /** Pages of these services are open, and no others: whatever changes of what they show is to be told by `show`. */
  | { readonly type: 'watched'; readonly services: readonly string[] }
  /** At most once a second, and only services of which something changed: requests under way, and the last activity (epoch, ms). */
  | { readonly type: 'activity'; readonly services: Readonly<Record<string, ServiceActivity>> }
  | {
      readonly type: 'log'
      readonly level: LogLevel
      readonly message: string
      readonly fields?: Readonly<Record<string, unknown>>
    }

export interface ServiceActivity {
  readonly open: number
  readonly lastAt: number
}

/** A listening socket of the keeper's that the proxy accepts connections from. */
export interface ProxyListener {
  readonly fd: number
  readonly port: number
  readonly family: 4 | 6
  readonly tls: boolean
}

/** What the thread is started with. */
export interface ProxyThreadData {
  readonly listeners: readonly ProxyListener[]
  /** Where the certificate authorities are kept: `<data>/ca`. */
  readonly authorities: string
}
