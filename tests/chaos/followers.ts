// Clients that follow lines and events through everything: nothing may come twice, out of order, or never.
import type { LocaldEvent, LogLine } from '@locald/protocol'
import { createApiClient } from '../../packages/locald/src/client/api-client.ts'

export interface Follower {
  /** Everything up to now has come; what it saw, and what was wrong with it. */
  finish(): Promise<{ readonly lines: number; readonly events: number; readonly faults: readonly string[] }>
}

/** Follows the project's events from now on, and lines of these services from `since` on (milliseconds since the epoch). */
export function startFollower(
  socket: string,
  dir: string,
  { services, since }: { readonly services: readonly string[]; readonly since: number },
): Follower {
  const client = createApiClient({ socket })
  const finish = new AbortController()
  const ended = new AbortController()
  const lines: LogLine[] = []
  const events: LocaldEvent[] = []
  const faults: string[] = []
  const reading = (async () => {
    const followed = client.logs({ dir }, { services, since, follow: true, finish: finish.signal })
    for await (const line of followed) lines.push(line)
  })()
  const listening = (async () => {
    let isFirst = true
    for await (const event of client.events({ dir }, { signal: ended.signal })) {
      if (event.type !== 'snapshot') events.push(event)
      else if (!isFirst) faults.push(`The events could not be resumed: a snapshot came at ${event.seq}`)
      isFirst = false
    }
  })()
  return {
    finish: async () => {
      finish.abort()
      await reading
      ended.abort()
      await listening
      faults.push(...numberingFaults(lines), ...orderFaults(events))
      return { lines: lines.length, events: events.length, faults }
    },
  }
}

/** Of each run the lines `n 1`, `n 2`, … have to be there, each once and in order. */
export function numberingFaults(lines: readonly LogLine[]): readonly string[] {
  const last = new Map<string, number>()
  const faults: string[] = []
  for (const { service, run, stream, text } of lines) {
    if (stream === 'locald') continue
    const key = `${service} run ${run}`
    const expected = (last.get(key) ?? 0) + 1
    if (text !== `n ${expected}`) faults.push(`${key}: "${text}" where "n ${expected}" should be`)
    last.set(key, /^n \d+$/.test(text) ? Number(text.slice(2)) : expected)
  }
  return faults.slice(0, 5)
}

function orderFaults(events: readonly LocaldEvent[]): readonly string[] {
  return events.flatMap((event, index) => {
    const before = events[index - 1]
    return before === undefined || before.seq < event.seq ? [] : [`Event ${event.seq} came after ${before.seq}`]
  })
}
