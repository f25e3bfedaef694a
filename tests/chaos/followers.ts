// Clients that follow lines and events through everything: nothing may come twice, out of order, or never.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LocaldEvent, LogLine } from '@locald/protocol'
import { createApiClient } from '../../packages/locald/src/client/api-client.ts'
import type { ApiClient } from '../../packages/locald/src/client/api-client.ts'

/** What has happened by the end may still be under way for so long. */
const lateMs = 5000

export interface Followed {
  readonly lines: readonly LogLine[]
  readonly events: readonly LocaldEvent[]
  /** Of the events; the lines are for others to judge. */
  readonly faults: readonly string[]
}

export interface Follower {
  /** Everything up to now has come. */
  finish(): Promise<Followed>
}

/** Follows the project's events from now on, and lines of these services from `since` on (milliseconds since the epoch). */
export function startFollower(
  socket: string,
  dir: string,
  { services, since }: { readonly services: readonly string[]; readonly since: number },
): Follower {
  const client = createApiClient({ socket })
  const finish = new AbortController()
  const lines: LogLine[] = []
  const reading = (async () => {
    const followed = client.logs({ dir }, { services, since, follow: true, finish: finish.signal })
    for await (const line of followed) lines.push(line)
  })()
  const events = followEvents(client, dir)
  return {
    finish: async () => {
      finish.abort()
      await reading
      return { lines, ...(await events.finish()) }
    },
  }
}

function followEvents(client: ApiClient, dir: string): { finish(): Promise<Omit<Followed, 'lines'>> } {
  const ended = new AbortController()
  const events: LocaldEvent[] = []
  const faults: string[] = []
  let first: number | null = null
  const listening = (async () => {
    for await (const event of client.events({ dir }, { signal: ended.signal })) {
      if (event.type !== 'snapshot') events.push(event)
      else if (first === null) first = event.seq
      else faults.push(`The events could not be resumed: a snapshot came at ${event.seq}`)
    }
  })()
  return {
    finish: async () => {
      const all = first === null ? [] : await eventsAfter(client, dir, first)
      const last = all.at(-1) ?? 0
      const deadline = Date.now() + lateMs
      while ((events.at(-1)?.seq ?? 0) < last && Date.now() < deadline) await sleep(10)
      ended.abort()
      await listening
      const seen = events.map(({ seq }) => seq).filter((seq) => seq <= last)
      return { events, faults: [...faults, ...eventFaults(seen, all)] }
    },
  }
}

/** Numbers of all events after that one, as whoever has missed them all gets them. */
async function eventsAfter(client: ApiClient, dir: string, after: number): Promise<readonly number[]> {
  const found: number[] = []
  for await (const event of client.events({ dir }, { after, follow: false })) {
    if (event.type === 'snapshot') throw new Error(`The events after ${after} are not kept any more`)
    found.push(event.seq)
  }
  return found
}

/** What was seen has to be what there was: each event once, in order, and none missing. */
export function eventFaults(seen: readonly number[], all: readonly number[]): readonly string[] {
  const counts = new Map<number, number>()
  for (const seq of seen) counts.set(seq, (counts.get(seq) ?? 0) + 1)
  const known = new Set(all)
  const faults = [
    ...all.filter((seq) => !counts.has(seq)).map((seq) => `Event ${seq} never came`),
    ...[...counts].filter(([, times]) => times > 1).map(([seq, times]) => `Event ${seq} came ${times} times`),
    ...seen.filter((seq) => !known.has(seq)).map((seq) => `Event ${seq} is not in the journal`),
    ...seen.flatMap((seq, index) => {
      const before = seen[index - 1]
      return before === undefined || before <= seq ? [] : [`Event ${seq} came after ${before}`]
    }),
  ]
  return faults.slice(0, 5)
}
