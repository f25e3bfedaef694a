// `locald start`: the foreground, as foreman does it. The daemon runs the services; this shows their output and passes Ctrl-C on.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { exitCodes } from '@locald/protocol'
import type { OrderEnded, OrderRequest } from '@locald/protocol'
import type { ApiClient } from '../../client/api-client.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { definedVariables, variableOptions } from '../option-values.ts'
import { clockTime, createLabelPrefix } from '../output/label-prefix.ts'
import type { LabelPrefix } from '../output/label-prefix.ts'
import { reportWarnings } from '../report-outcome.ts'

interface Foreground {
  readonly context: CommandContext
  readonly client: ApiClient
  readonly order: string
  readonly prefix: LabelPrefix
}

export async function start(context: CommandContext, call: Invocation): Promise<number> {
  const env = variableOptions(call, 'env')
  const client = await context.connect()
  const request: OrderRequest = {
    ...context.selector,
    kind: 'start',
    order: randomUUID(),
    services: call.args,
    shell_env: definedVariables(context.env),
    ...(env === undefined ? {} : { env }),
    ...(call.flag('restart') ? { restart: true } : {}),
  }
  const since = context.now()
  using stops = new Stops(context, client)
  const { seq, status } = await client.order(request)
  stops.begin()
  const labels = status.services.map(({ name, instance }) => `${name}.${instance}`)
  const prefix = createLabelPrefix(labels, context.output.answer.style)
  const foreground: Foreground = { context, client, order: request.order, prefix }
  reportWarnings(context, status)

  const ended = new AbortController()
  const output = printOutput(foreground, { since, services: call.args, finish: ended.signal })
  const code = await watchEvents(foreground, seq, stops)
  ended.abort()
  await output
  return code
}

/** Stops everything at the first Ctrl-C and kills it at the second. What comes before `begin` waits for it. */
class Stops implements Disposable {
  readonly #context: CommandContext
  readonly #client: ApiClient
  readonly #listening: Disposable
  #hasBegun = false
  #signal: NodeJS.Signals | null = null
  #count = 0
  #order: string | null = null

  constructor(context: CommandContext, client: ApiClient) {
    this.#context = context
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
  }

  #stop(): void {
    const { output, selector } = this.#context
    const isNow = this.#count > 1
    output.note(isNow ? 'sending SIGKILL to all processes' : `${this.#signal} received, starting shutdown`)
    const order = randomUUID()
    this.#order = order
    this.#client.order({ ...selector, kind: 'stop', order, services: [], now: isNow }).catch((error: unknown) => {
      // Nobody stops what runs by this order: the end of the first one counts.
      if (this.#order === order) this.#order = null
      output.note(`Cannot stop: ${error instanceof Error ? error.message : String(error)}`)
    })
  }
}

/** Until the order has ended, and the one that stops it; returns the exit code. */
async function watchEvents(
  { context, client, order, prefix }: Foreground,
  after: number,
  stops: Stops,
): Promise<number> {
  const { output, selector } = context
  let code: number | null = null
  const endedOrders = new Set<string>()
  for await (const event of client.events(selector, { after, foreground: order })) {
    if (event.type === 'service.failed') {
      const reason = event.snapshot.reason ?? event.snapshot.exit?.reason ?? 'for an unknown reason'
      output.print(`${linePrefix(prefix, `${event.service}.${event.instance}`, event.at)}failed: ${reason}`)
    }
    if (event.type !== 'order.ended') continue
    endedOrders.add(event.order)
    if (event.order === order) {
      code = codeOf(event)
      if (stops.order === null) for (const problem of event.problems) output.note(problem)
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
async function printOutput({ context, client, prefix }: Foreground, options: OutputOptions): Promise<void> {
  const { output, selector } = context
  for await (const line of client.logs(selector, { ...options, follow: true })) {
    // foreman numbers also the only instance.
    const label = /\.\d+$/.test(line.service) ? line.service : `${line.service}.1`
    output.print(linePrefix(prefix, label, line.at) + output.answer.style.foreign(line.text))
  }
}

function linePrefix(prefix: LabelPrefix, label: string, at: string): string {
  return `${clockTime(Date.parse(at))} ${prefix(label)}`
}
