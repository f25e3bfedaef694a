// Reads a stream of server-sent events. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
import { readLines } from './text-lines.ts'

export interface ServerSentEvent {
  readonly id: string | null
  readonly data: string
}

/** Comments, other fields and an event that is not finished are left out. */
export async function* readServerSentEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<ServerSentEvent> {
  let id: string | null = null
  let data: string[] = []
  for await (const line of readLines(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { id, data: data.join('\n') }
      data = []
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'id') id = value
  }
}
