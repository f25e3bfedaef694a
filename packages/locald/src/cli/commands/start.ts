// `locald start`: the foreground, as foreman does it. The daemon runs the services; this shows their output and passes Ctrl-C on.
import { randomUUID } from 'node:crypto'
import { exitCodes } from '@locald/protocol'
import type { LocaldEvent, OrderRequest } from '@locald/protocol'
import type { ApiClient } from '../../client/api-client.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { definedVariables, variableOptions } from '../option-values.ts'
import { clockTime, createLabelPrefix } from '../output/label-prefix.ts'
import type { LabelPrefix } from '../output/label-prefix.ts'

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
  // Before the order: from its first moment on, Ctrl-C has something to stop.
  const stops = stopsOnInterrupt(context, client)
  using _interrupts = stops
  const { seq, status } = await client.order(request)
  const labels = status.services.map(({ name, instance }) => `${name}.${instance}`)
  const foreground: Foreground = {
    context,
    client,
    order: request.order,
    prefix: createLabelPrefix(labels, context.output.answer.style),
  }
  for (const warning of status.warnings) context.output.note(`warning: ${warning}`)

  const ended = new AbortController()
  const output = printOutput(foreground, { since, services: call.args, finish: ended.signal })
  const code = await watchEvents(foreground, seq)
  ended.abort()
  await output
  await stops.settled()
  return code
}

/** First Ctrl-C stops, the second kills, as many more as there may be. */
function stopsOnInterrupt(
  { onInterrupt, output, selector }: CommandContext,
  client: ApiClient,
): Disposable & { settled(): Promise<void> } {
  let count = 0
  let last: Promise<unknown> = Promise.resolve()
  const listening = onInterrupt((signal) => {
    count += 1
    const isNow = count > 1
    output.note(isNow ? 'sending SIGKILL to all processes' : `${signal} received, starting shutdown`)
    const order = { ...selector, kind: 'stop' as const, order: randomUUID(), services: [], now: isNow }
    last = client.order(order).catch((error: unknown) => {
      output.note(`Cannot stop: ${error instanceof Error ? error.message : String(error)}`)
    })
  })
  return {
    [Symbol.dispose]: () => listening[Symbol.dispose](),
    settled: async () => {
      await last
    },
  }
}

/** Until the order ends; returns the exit code. */
async function watchEvents({ context, client, order, prefix }: Foreground, after: number): Promise<number> {
  const { output, selector } = context
  for await (const event of client.events(selector, { after, foreground: order })) {
    if (event.type === 'snapshot') continue
    const words = wordsOn(event)
    if (words !== null && 'service' in event) {
      output.print(`${linePrefix(prefix, `${event.service}.${event.instance}`, event.at)}${words}`)
    }
    if (event.type === 'order.ended' && event.order === order) {
      for (const problem of event.problems) output.note(problem)
      if (event.outcome === 'superseded') output.note('superseded by a later order')
      return event.exit_code ?? (event.outcome === 'done' ? exitCodes.ok : exitCodes.failed)
    }
  }
  return exitCodes.unreachable
}

/** In foreman's words where foreman has some. */
function wordsOn(event: LocaldEvent): string | null {
  switch (event.type) {
    case 'service.spawned':
      return `started with pid ${event.snapshot.pid ?? '?'}`
    case 'service.exited':
    case 'service.completed': {
      const { exit } = event.snapshot
      if (exit === null) return null
      return exit.signal === null ? `exited with code ${exit.code ?? '?'}` : `terminated by ${exit.signal}`
    }
    case 'service.failed':
      return `failed: ${event.snapshot.reason ?? event.snapshot.exit?.reason ?? 'for an unknown reason'}`
    default:
      return null
  }
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
    // What happened to a service comes as an event, with foreman's words.
    if (line.stream === 'locald') continue
    // foreman numbers also the only instance.
    const label = /\.\d+$/.test(line.service) ? line.service : `${line.service}.1`
    output.print(linePrefix(prefix, label, line.at) + output.answer.style.foreign(line.text))
  }
}

function linePrefix(prefix: LabelPrefix, label: string, at: string): string {
  return `${clockTime(Date.parse(at))} ${prefix(label)}`
}
