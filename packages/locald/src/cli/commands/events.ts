// `locald events`: the journal, for people and scripts.
import { exitCodes } from '@locald/protocol'
import type { EventSnapshot, LocaldEvent } from '@locald/protocol'
import type { ApiClient } from '../../client/api-client.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { numberOption } from '../option-values.ts'
import { leaveLine } from '../output/leave-line.ts'
import { clockTime } from '../output/label-prefix.ts'
import { describeService } from '../output/service-words.ts'

/** Fewer than the daemon keeps. */
const defaultTail = 1000

export async function events(context: CommandContext, call: Invocation): Promise<number> {
  const { output, onInterrupt, selector } = context
  const client = await context.connect()
  const interrupted = new AbortController()
  using _interrupts = onInterrupt(() => interrupted.abort())
  const signal = AbortSignal.any([interrupted.signal, output.closed])
  const print = call.flag('json') ? output.printJson : (event: LocaldEvent) => output.print(eventLine(context, event))
  const project = call.flag('all') ? null : await projectOf(client, context)
  const follow = call.flag('follow')
  const newest = await lastSeq(client, signal)
  const wanted = Math.max(0, newest - (numberOption(call, 'tail', 0) ?? defaultTail))
  const after = await firstKnown(client, { wanted, newest }, signal)
  for await (const event of client.events(project === null ? {} : selector, { after, follow, signal })) {
    if (event.type !== 'snapshot') print(event)
  }
  leaveLine(output, interrupted.signal)
  return exitCodes.ok
}

/** Id of the project here; null outside of any. */
async function projectOf(client: ApiClient, { selector }: CommandContext): Promise<string | null> {
  const status = await client.status(selector)
  return 'services' in status ? status.id : null
}

async function lastSeq(client: ApiClient, signal: AbortSignal): Promise<number> {
  for await (const event of client.events({}, { follow: false, signal }))
    return (event satisfies EventSnapshot | LocaldEvent).seq
  return 0
}

/**
 * The lowest number from `wanted` on after which the daemon still knows every event; it keeps a part of them, and answers with a
 * snapshot when it is asked for more.
 */
async function firstKnown(
  client: ApiClient,
  { wanted, newest }: { readonly wanted: number; readonly newest: number },
  signal: AbortSignal,
): Promise<number> {
  const isKnown = async (after: number): Promise<boolean> => {
    for await (const event of client.events({}, { after, follow: false, signal })) return event.type !== 'snapshot'
    return true
  }
  let low = wanted
  let high = newest
  while (low < high) {
    // What is missing is mostly nothing, or the first one, which is no event but the state that a journal begins with.
    const middle = low <= wanted + 1 ? low : Math.floor((low + high) / 2)
    if (await isKnown(middle)) high = middle
    else low = middle + 1
  }
  return high
}

function eventLine({ output, now }: CommandContext, event: LocaldEvent): string {
  const { style } = output.answer
  const head = `${style.dim(clockTime(Date.parse(event.at)))} ${String(event.seq).padStart(5)}  `
  switch (event.type) {
    case 'project.planned':
      return `${head}${event.type}  ${style.bold(event.status.project)}  ${event.status.root}`
    case 'project.removed':
      return `${head}${event.type}  ${event.project}`
    case 'order.accepted':
      return `${head}${event.type}  ${event.kind} ${event.services.join(' ')}`
    case 'order.ended':
      return `${head}${event.type}  ${event.kind} ${event.outcome}${event.problems.length === 0 ? '' : `: ${event.problems.join('; ')}`}`
    case 'daemon.started':
    case 'daemon.stopping':
      return `${head}${event.type}  pid ${event.pid}, version ${event.version}`
    default:
      return `${head}${event.type}  ${style.bold(`${event.service}.${event.instance}`)} ${describeService(event.snapshot, now())}`
  }
}
