// Answers that go on: lines of JSON, and server-sent events.

import { LocaldError } from '@locald/protocol'
import { errorBody } from './error-body.ts'

const chunkBytes = 32 * 1024
/** A listener that lags behind by more than this many bytes is cut off; it resumes from where it was. */
const bytesQueued = 32 * 1024 * 1024

/**
 * Asks for the next text only when the reader has taken the last chunk, and sends what it has as soon as the source pauses.
 * Rejects with what the source objects to before it has begun to wait for anything. What it objects to later is told in a last
 * line, an `ErrorBody`: the answer has begun.
 */
export async function textStream(
  texts: AsyncIterable<string>,
  abort: AbortController,
): Promise<ReadableStream<Uint8Array>> {
  const iterator: AsyncIterator<string, undefined> = texts[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let upcoming: Promise<Step> | null = iterator.next()
  upcoming.catch(() => {}) // for whoever pulls, if somebody does
  await Promise.race([upcoming, pause()])
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let text = ''
        while (text.length < chunkBytes) {
          upcoming ??= iterator.next()
          // Wait for the first value; after that take only what is there already.
          const result = await told(text === '' ? upcoming : Promise.race([upcoming, pause()]))
          if (result === 'paused') break
          upcoming = null
          if (result.value !== undefined) text += result.value
          if (result.done !== true) continue
          if (text !== '') controller.enqueue(encoder.encode(text))
          controller.close()
          return
        }
        controller.enqueue(encoder.encode(text))
      },
      async cancel() {
        abort.abort()
        await iterator.return?.()
      },
    },
    { highWaterMark: 1 },
  )
}

type Step = IteratorResult<string, string | undefined>

/** A refusal as the last text; every other error is our own. */
async function told<T>(step: Promise<T>): Promise<T | Step> {
  try {
    return await step
  } catch (error) {
    if (!(error instanceof LocaldError)) throw error
    return { done: true, value: `${JSON.stringify(errorBody(error))}\n` }
  }
}

/** One JSON value a line. */
export async function* jsonLines(values: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`
}

async function pause(): Promise<'paused'> {
  return new Promise((resolve) => setImmediate(resolve, 'paused'))
}

export interface ServerSentEvent {
  readonly id: number
  readonly data: unknown
}

/** What a stream of events is fed with. */
export interface EventSink {
  send(event: ServerSentEvent): void
}

const heartbeatMs = 15_000

/**
 * `start` gets the sink and returns how to stop feeding it; that is called once, when the client has gone. Null: that was all,
 * and the stream ends. What happens together is sent together, and after what follows from it was begun: hundreds of events
 * at once are one write, and nobody's start waits for it.
 */
export function eventStream(start: (sink: EventSink) => (() => void) | null): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let stop: (() => void) | null = null
  let heartbeat: NodeJS.Timeout | undefined
  let unsent: NodeJS.Immediate | undefined
  let texts: string[] = []
  const end = (): void => {
    clearInterval(heartbeat)
    clearImmediate(unsent)
    stop?.()
    stop = null
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const write = (text: string): void => {
          if ((controller.desiredSize ?? 0) < -bytesQueued) {
            end()
            controller.error(new Error('The client does not keep up'))
          } else controller.enqueue(encoder.encode(text))
        }
        const flush = (): void => {
          unsent = undefined
          const text = texts.join('')
          texts = []
          if (text !== '') write(text)
        }
        const send = ({ id, data }: ServerSentEvent): void => {
          texts.push(`id: ${id}\ndata: ${JSON.stringify(data)}\n\n`)
          unsent ??= setImmediate(flush)
        }
        heartbeat = setInterval(() => write(': alive\n\n'), heartbeatMs)
        heartbeat.unref()
        write(': hello\n\n')
        stop = start({ send })
        if (stop !== null) return
        flush()
        end()
        controller.close()
      },
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 1 }),
  )
}
