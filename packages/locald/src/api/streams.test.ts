import { expect, test } from 'vitest'
import { LocaldError } from '@locald/protocol'
import { eventStream, textStream } from './streams.ts'
import type { EventSink } from './streams.ts'

async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  return new TextDecoder().decode((await reader.read()).value)
}

async function* textsUntil(error: Error): AsyncGenerator<string> {
  await new Promise((resolve) => setTimeout(resolve, 5))
  yield '{"text":"a"}\n'
  throw error
}

test('textStream() ends with what the source objects to once the answer has begun', async () => {
  const refusal = new LocaldError('usage', 'Cannot search', { hint: 'Search for less' })
  const stream = await textStream(textsUntil(refusal), new AbortController())
  const error = { code: 'usage', message: 'Cannot search', hint: 'Search for less' }
  expect(await new Response(stream).text()).toBe(`{"text":"a"}\n${JSON.stringify({ error })}\n`)
  const broken = await textStream(textsUntil(new Error('ours')), new AbortController())
  await expect(new Response(broken).text()).rejects.toThrow('ours')
})

test('eventStream() sends what happens together as one piece, in order', async () => {
  const sinks: EventSink[] = []
  const reader = eventStream((sink) => {
    sinks.push(sink)
    return () => {}
  }).getReader()
  expect(await nextText(reader)).toBe(': hello\n\n')
  for (const id of [1, 2, 3]) sinks[0]?.send({ id, data: { id } })
  expect(await nextText(reader)).toBe([1, 2, 3].map((id) => `id: ${id}\ndata: {"id":${id}}\n\n`).join(''))
  await reader.cancel()
})

test('eventStream() ends with everything that was sent when there is nothing to wait for', async () => {
  const stream = eventStream((sink) => {
    sink.send({ id: 1, data: 'a' })
    return null
  })
  expect(await new Response(stream).text()).toBe(': hello\n\nid: 1\ndata: "a"\n\n')
})

test('eventStream() stops being fed, and sends nothing, once the client has gone', async () => {
  let stops = 0
  const sinks: EventSink[] = []
  const reader = eventStream((sink) => {
    sinks.push(sink)
    return () => void (stops += 1)
  }).getReader()
  sinks[0]?.send({ id: 1, data: 'a' })
  await reader.cancel()
  await new Promise((resolve) => setImmediate(resolve))
  expect(stops).toBe(1)
})
