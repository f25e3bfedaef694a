// Services in the foreground of a command: an order of the kind `start`, their output as it comes, Ctrl-C passed on.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { exitCodes } from '@locald/protocol'
import type {
  LogLine,
  OrderEnded,
  OrderRequest,
  ProjectSelector,
  ProjectStatus,
  ServiceSnapshot,
} from '@locald/protocol'
import type { ApiClient } from '../client/api-client.ts'
import { aliveLines } from './alive-lines.ts'
import { AliveWatch } from './alive-watch.ts'
import type { CommandContext } from './command.ts'
import { definedVariables } from './option-values.ts'

/** What a command shows of it. */
export interface ForegroundView {
  /** Once, before anything else. */
  begun(status: ProjectStatus): void
  line(line: LogLine): void
  /** A service has changed. */
  changed?(snapshot: ServiceSnapshot): void
  failed(snapshot: ServiceSnapshot, at: string): void
}

export interface ForegroundOrder {
  readonly selector: ProjectSelector
  readonly services: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Restart policies hold; without it the first exit ends all. */
  readonly restart?: boolean
}

interface Foreground {
  readonly context: CommandContext
  readonly client: ApiClient
  readonly order: OrderRequest
  readonly view: ForegroundView
}

/** Returns the exit code of the service whose end ended it all, or that of the signal that did. */
export async function runInForeground(
  context: CommandContext,
  { selector, ...rest }: ForegroundOrder,
  view: (client: ApiClient) => ForegroundView,
): Promise<number> {
  const client = await context.connect()
  const order: OrderRequest = {
    ...selector,
    kind: 'start',
    order: randomUUID(),
    shell_env: definedVariables(context.env),
    ...rest,
  }
  const since = context.now()
  using stops = new Stops(context, selector, client)
  const { seq, status } = await client.order(order)
  stops.begin()
  const foreground: Foreground = { context, client, order, view: view(client) }
  foreground.view.begun(status)

  const ended = new AbortController()
  const output = showOutput(foreground, { since, services: order.services, finish: ended.signal })
  const code = await watchEvents(foreground, seq, stops)
  ended.abort()
  await output
  return code
}

/**
 * Stops everything at the first Ctrl-C, and says from then on who is still alive; kills it at the second. What comes before
 * `begin` waits for it.
 */
class Stops implements Disposable {
  readonly #context: CommandContext
  readonly #selector: ProjectSelector
  readonly #client: ApiClient
  readonly #listening: Disposable
  #hasBegun = false
  #signal: NodeJS.Signals | null = null
  #count = 0
  #order: string | null = null
  #alive: AliveWatch | null = null

  constructor(context: CommandContext, selector: ProjectSelector, client: ApiClient) {
    this.#context = context
    this.#selector = selector
    this.#client = client
    this.#listening = context.onInterrupt((signal) => {
      this.#signal ??= signal
      this.#count += 1
      if (this.#hasBegun) this.#stop()
    })
  }

  /** There is something to stop now. */
  begin(): void {
    this.#hasBegun = true
    if (this.#count > 0) this.#stop()
  }

  /** The order to stop that has to end before this command may; null when none was given. */
  get order(): string | null {
    return this.#order
  }

  /** Exit code of a command that this signal ended; null when there was none. */
  get exitCode(): number | null {
    return this.#signal === null ? null : 128 + constants.signals[this.#signal]
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    this.#alive?.[Symbol.dispose]()
  }

  #stop(): void {
    const { output } = this.#context
    const isNow = this.#count > 1
    output.note(isNow ? 'sending SIGKILL to all processes' : `${this.#signal} received, starting shutdown`)
    const order = randomUUID()
    this.#order = order
    this.#alive ??= new AliveWatch({
      ask: async () => (await this.#client.processes(this.#selector, [])).services,
      onAlive: aliveLines(this.#context),
    })
    this.#client.order({ ...this.#selector, kind: 'stop', order, services: [], now: isNow }).catch((error: unknown) => {
      // Nobody stops what runs by this order: the end of the first one counts.
      if (this.#order === order) this.#order = null
      output.note(`Cannot stop: ${error instanceof Error ? error.message : String(error)}`)
    })
  }
}

/** Until the order has ended, and the one that stops it; returns the exit code. */
async function watchEvents({ context, client, order, view }: Foreground, after: number, stops: Stops): Promise<number> {
  let code: number | null = null
  const endedOrders = new Set<string>()
  for await (const event of client.events(order, { after, foreground: order.order })) {
    if ('snapshot' in event) view.changed?.(event.snapshot)
    if (event.type === 'service.failed') view.failed(event.snapshot, event.at)
    if (event.type !== 'order.ended') continue
    endedOrders.add(event.order)
    if (event.order === order.order) {
      code = codeOf(event)
      if (stops.order === null) for (const problem of event.problems) context.output.note(problem)
    }
    if (code !== null && (stops.order === null || endedOrders.has(stops.order))) return stops.exitCode ?? code
  }
  return exitCodes.unreachable
}

function codeOf({ exit_code: exitCode, outcome }: OrderEnded): number {
  return exitCode ?? (outcome === 'done' ? exitCodes.ok : exitCodes.failed)
}

interface OutputOptions {
  readonly since: number
  readonly services: readonly string[]
  /** The order has ended: only what is already recorded is still to come. */
  readonly finish: AbortSignal
}

/** Every line that the services write, to the last one. */
async function showOutput({ client, order, view }: Foreground, options: OutputOptions): Promise<void> {
  for await (const line of client.logs(order, { ...options, follow: true })) view.line(line)
}
