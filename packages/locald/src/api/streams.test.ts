import { expect, test } from 'vitest'
import { eventStream } from './streams.ts'
import type { EventSink } from './streams.ts'

async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  return new TextDecoder().decode((await reader.read()).value)
}

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
