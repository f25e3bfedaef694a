// An engine that does what a test says: it answers by the Docker Engine API, and runs nothing.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineAddress } from '../container-order.ts'

/** What `inspect` shows of a container, as far as a test cares. */
export interface FakeContainer {
  readonly Id: string
  readonly Config: Record<string, unknown> & { readonly Labels: Readonly<Record<string, string>> }
  readonly State: Record<string, unknown>
  readonly HostConfig?: Record<string, unknown>
}

/** A program inside. Null as its end: it goes on. */
export interface FakeExec {
  exitCode: number | null
}

type Handler = (match: RegExpExecArray, response: ServerResponse) => void

/** Later rules go before earlier ones. */
export class FakeEngine implements AsyncDisposable {
  readonly address: EngineAddress
  readonly containers = new Map<string, FakeContainer>()
  readonly execs: FakeExec[] = []
  /** Method and path of each request so far. */
  readonly requests: string[] = []
  /** How the next program ends. */
  nextExit: number | null = 0
  readonly #directory: string
  readonly #server: Server
  readonly #followers = new Set<ServerResponse>()
  readonly #rules: { readonly pattern: RegExp; readonly handle: Handler }[] = []

  private constructor(directory: string) {
    this.#directory = directory
    this.address = { url: `unix://${join(directory, 'docker.sock')}`, certificates: null }
    this.#server = createServer((request, response) => this.#answer(request, response))
    this.on(/^GET \/networks\/bridge/u, (_match, response) => send(response, 404, { message: 'no such network' }))
    this.on(/^GET \/events/u, (_match, response) => this.#follow(response))
    this.on(/^GET \/containers\/json/u, (_match, response) => {
      const listed = [...this.containers.values()].map(({ Id, Config: { Labels } }) => ({
        Id,
        Labels,
        Names: [`/${Id}`],
      }))
      send(response, 200, listed)
    })
    this.on(/^GET \/containers\/(\w+)\/json/u, ([, id = ''], response) => {
      const found = this.containers.get(id)
      if (found === undefined) send(response, 404, { message: 'no such container' })
      else send(response, 200, { Name: `/${id}`, NetworkSettings: { Networks: {} }, HostConfig: {}, ...found })
    })
    this.on(/^GET \/containers\/\w+\/logs/u, (_match, response) => response.writeHead(200).flushHeaders())
    this.on(/^DELETE \/containers\/(\w+)/u, ([, id = ''], response) => {
      this.containers.delete(id)
      send(response, 204)
    })
    this.on(/^POST \/containers\/\w+\/exec/u, (_match, response) => {
      this.execs.push({ exitCode: this.nextExit })
      send(response, 201, { Id: String(this.execs.length - 1) })
    })
    this.on(/^POST \/exec\/(\d+)\/start/u, ([, index], response) => {
      response.writeHead(200).flushHeaders()
      if (this.execs[Number(index)]?.exitCode !== null) response.end()
    })
    this.on(/^GET \/exec\/(\d+)\/json/u, ([, index], response) => {
      const exitCode = this.execs[Number(index)]?.exitCode ?? null
      send(response, 200, { ExitCode: exitCode, Running: exitCode === null })
    })
    this.on(/^POST /u, (_match, response) => send(response, 204), { isLast: true })
  }

  static async start(): Promise<FakeEngine> {
    const directory = mkdtempSync(join(tmpdir(), 'fake-engine-'))
    const engine = new FakeEngine(directory)
    engine.#server.listen(join(directory, 'docker.sock'))
    await once(engine.#server, 'listening')
    return engine
  }

  /** A container that runs, with its run's id as its own. */
  run(
    id: string,
    { Config, State, ...rest }: Partial<FakeContainer> = {},
    labels: Readonly<Record<string, string>> = {},
  ): void {
    this.containers.set(id, {
      Id: id,
      Config: { Tty: false, Labels: { 'locald.run': id, ...labels }, ...Config },
      State: { Running: true, Pid: 0, StartedAt: new Date().toISOString(), ...State },
      ...rest,
    })
  }

  on(pattern: RegExp, handle: Handler, { isLast = false } = {}): void {
    if (isLast) this.#rules.push({ pattern, handle })
    else this.#rules.unshift({ pattern, handle })
  }

  /** Tells whoever follows the events. */
  tell(action: string, id: string): void {
    const event = { Action: action, Actor: { ID: id, Attributes: {} }, timeNano: Date.now() * 1e6 }
    for (const follower of this.#followers) follower.write(`${JSON.stringify(event)}\n`)
  }

  /** The events break off; whoever follows them has to come again. */
  hangUp(): void {
    for (const follower of this.#followers) follower.destroy()
  }

  /** How often this was asked so far. */
  count(pattern: RegExp): number {
    return this.requests.filter((request) => pattern.test(request)).length
  }

  #follow(response: ServerResponse): void {
    this.#followers.add(response)
    response.on('close', () => this.#followers.delete(response))
    response.writeHead(200).flushHeaders()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const line = `${request.method ?? ''} ${request.url ?? ''}`
    this.requests.push(line)
    request.resume()
    for (const { pattern, handle } of this.#rules) {
      const match = pattern.exec(line)
      if (match !== null) return handle(match, response)
    }
    send(response, 404, { message: `nobody answers ${line}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** An answer as the engine gives it. */
export function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))
}
