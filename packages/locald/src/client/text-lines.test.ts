import { expect, test } from 'vitest'
import { readJsonLines } from './json-lines.ts'
import { readServerSentEvents } from './server-sent-events.ts'
import { readLines } from './text-lines.ts'

/** The same bytes in chunks of every size: none of the readers may notice. */
async function* inChunks(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = []
  for await (const item of items) result.push(item)
  return result
}

const sizes = [1, 2, 3, 5, 7, 64, 4096]

test.each(sizes)('readLines() cuts at line ends, whatever the chunks of %i bytes cut', async (size) => {
  const text = 'größer\r\n\nzweite 🙂 Zeile\nlast\ntorn'
  expect(await collect(readLines(inChunks(text, size)))).toEqual(['größer', '', 'zweite 🙂 Zeile', 'last'])
})

test.each(sizes)('readJsonLines() skips blank lines and a torn end, in chunks of %i bytes', async (size) => {
  const text = '{"text":"ä\\n"}\n\n[1,2]\n{"torn":'
  expect(await collect(readJsonLines(inChunks(text, size)))).toEqual([{ text: 'ä\n' }, [1, 2]])
})

test.each(sizes)(
  'readServerSentEvents() joins data, keeps the last id, skips comments, in chunks of %i bytes',
  async (size) => {
    const text =
      ': hello\n\nid: 7\ndata: {"a":\ndata: 1}\n\n: alive\n\nevent: x\ndata:two\n\nid: 9\ndata: never finished'
    expect(await collect(readServerSentEvents(inChunks(text, size)))).toEqual([
      { id: '7', data: '{"a":\n1}' },
      { id: '7', data: 'two' },
    ])
  },
)
