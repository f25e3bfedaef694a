// The daemon's side of the proxy: runs its thread, tells it what leads where, and acts on what it tells.
import { existsSync } from 'node:fs'
import { suffixFor } from '../certificates/host-suffix.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'
import type { Logger } from '../lib/logger.ts'
import type { FromProxy, ServiceActivity } from '../proxy/messages.ts'
import type { ServiceDescription } from '../proxy/pages/service-description.ts'
import { ProxyThread } from '../proxy/proxy-thread.ts'
import type { RouteTable } from '../proxy/route-table.ts'
import type { Place } from '../supervisor/place.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import type { PublicNames } from './public-names.ts'
import type { ProxyPorts } from './public-url.ts'
import { routeTableOf, serviceKey, splitServiceKey } from './route-table-of.ts'
import { WatchedPages } from './watched-pages.ts'

export interface ProxyControlOptions {
  readonly state: SupervisorState
  readonly names: PublicNames
  readonly listeners: readonly InheritedListener[]
  /** The text of the thread's program. */
  readonly program: string
  /** Directory of the certificate authorities, and the file of their certificates in it. */
  readonly authorities: string
  readonly rootsFile: string
  readonly isTrusted: (host: string) => boolean
  /** Ports by the names of what locald does not run. */
  readonly aliases: () => ReadonlyMap<string, number>
  readonly logger: Logger
  readonly describe: (project: string, service: string) => Promise<ServiceDescription | null>
  /** A thread that has seen no request yet accepts connections: the first, or one in place of another. */
  readonly onListening: () => void
  /** A request has come for a service that waits for one. */
  readonly onWanted: (project: string, service: string) => void
  readonly onActivity: (project: string, service: string, activity: ServiceActivity) => void
}

/** A restart goes on after that, whoever still waits for an answer. */
const drainMs = 2_000
/** Making a certificate authority takes a tenth of that on a slow machine. */
const certificatesMs = 3_000

/** The ports of the listeners; null when there is none for one of the schemes. */
export function proxyPortsOf(listeners: readonly InheritedListener[]): ProxyPorts | null {
  const [https, http] = [true, false].map((tls) => listeners.find((listener) => listener.tls === tls)?.port)
  return https === undefined || http === undefined ? null : { http, https }
}

export class ProxyControl implements AsyncDisposable {
  readonly #options: ProxyControlOptions
  readonly #thread: ProxyThread
  readonly #pages: WatchedPages
  readonly #ensured = new Set<string>()
  readonly #firstCertificates: Promise<void>
  #onCertificates = (): void => {}
  #table = ''

  constructor(options: ProxyControlOptions) {
    this.#options = options
    const { program, listeners, authorities, logger } = options
    this.#thread = new ProxyThread({
      program,
      listeners,
      authorities,
      logger,
      onMessage: (message) => this.#receive(message),
    })
    this.#pages = new WatchedPages({
      describe: async (key) => await this.#descriptionOf(key),
      tell: (service, description) => this.#thread.send({ type: 'show', service, description }),
      onError: (service, error) => this.#warn(service, error),
    })
    this.#firstCertificates = new Promise((resolve) => {
      this.#onCertificates = resolve
      setTimeout(resolve, certificatesMs).unref()
    })
    this.#ensure(['localhost'])
  }

  /** Tells the proxy how things are now, if that differs from what it was told. */
  refresh(): void {
    const { state, names, isTrusted, listeners, aliases } = this.#options
    const https = proxyPortsOf(listeners)?.https ?? null
    const redirectTo = (host: string): number | null => (isTrusted(host) ? https : null)
    const table = routeTableOf({ projects: state.projects, holders: names.holders, redirectTo, aliases: aliases() })
    const text = JSON.stringify(table)
    if (text === this.#table) return
    this.#table = text
    this.#ensure(suffixesOf(table))
    this.#thread.useRoutes(table)
  }

  /** Something has happened in this project, or one of its services has written something: open pages may show it. */
  changed(project: string): void {
    this.#pages.changed(project)
  }

  /** See `SupervisorDependencies.drain`. */
  drain({ project, service, instance }: Place): Promise<void> | null {
    if (project.plan.hosts.length === 0) return null
    return this.#thread
      .drain(serviceKey(project.plan.id, service.name), instance.instance, drainMs)
      .then(() => undefined)
  }

  /**
   * Resolves once the certificates of the authorities are there for services to trust; on any but the first day at once. Where
   * they cannot be made, that is waited for once, and not at every start.
   */
  async certificates(): Promise<void> {
    if (existsSync(this.#options.rootsFile)) return
    await this.#firstCertificates
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pages[Symbol.dispose]()
    await this.#thread[Symbol.asyncDispose]()
  }

  #ensure(suffixes: readonly string[]): void {
    const missing = suffixes.filter((suffix) => !this.#ensured.has(suffix))
    if (missing.length === 0) return
    for (const suffix of missing) this.#ensured.add(suffix)
    this.#thread.send({ type: 'ensure', suffixes: missing })
  }

  #receive(message: FromProxy): void {
    switch (message.type) {
      case 'ensured':
        return this.#onCertificates()
      case 'listening':
        return this.#options.onListening()
      case 'watched':
        return this.#pages.watch(message.services)
      case 'wanted':
        return this.#withService(message.service, this.#options.onWanted)
      case 'activity':
        for (const [key, activity] of Object.entries(message.services)) {
          this.#withService(key, (project, service) => this.#options.onActivity(project, service, activity))
        }
        return
      case 'describe':
        this.#describe(message.id, message.service)
        return
      default: // told to the thread's owner
    }
  }

  #withService(key: string, act: (project: string, service: string) => void): void {
    const known = splitServiceKey(key)
    if (known !== null && this.#options.state.projects.has(known.project)) act(known.project, known.service)
  }

  #describe(id: number, key: string): void {
    const answer = (description: ServiceDescription | null): void => {
      this.#thread.send({ type: 'described', id, description })
    }
    this.#descriptionOf(key).then(answer, (error: unknown) => {
      this.#warn(key, error)
      answer(null)
    })
  }

  async #descriptionOf(key: string): Promise<ServiceDescription | null> {
    const known = splitServiceKey(key)
    return known === null ? null : await this.#options.describe(known.project, known.service)
  }

  #warn(service: string, error: unknown): void {
    this.#options.logger.log('warn', 'Cannot describe a service', { service, error })
  }
}

function suffixesOf({ hosts }: RouteTable): readonly string[] {
  return [...new Set(Object.keys(hosts).map((host) => suffixFor(host.replace(/^\*\./, ''))))]
}
