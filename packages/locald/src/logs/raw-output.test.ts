import { describe, expect, test } from 'vitest'
import { LogFixture } from './log-fixture.ts'
import { rawOutput, rawTail } from './raw-output.ts'
import type { RawItem } from './raw-output.ts'

const never = new AbortController().signal

/** Reads batches until what was written is there; copies, because a batch is valid until the next. */
async function readUntil(
  batches: AsyncIterator<readonly RawItem[]>,
  wanted: string,
): Promise<{ text: string; cursor: string }> {
  let text = ''
  for (;;) {
    const next = await batches.next()
    if (next.done === true) throw new Error(`Ended after "${text}"`)
    text += textOf(next.value)
    if (text.includes(wanted)) return { text, cursor: next.value.at(-1)?.cursor() ?? '' }
  }
}

function textOf(items: readonly RawItem[]): string {
  return items.map((item) => (item.type === 'output' ? item.bytes.toString('latin1') : `<${item.type}>`)).join('')
}

describe('rawTail()', () => {
  test('gives the bytes of one run as they were written, and where to go on', async () => {
    await using logs = await LogFixture.create()
    await logs.output('web', 'old', { run: 1 })
    await logs.output('web', '\x1b[31mred\r\n>>> ', { run: 2 })
    const { bytes, cursor } = await rawTail(logs.source('web'), 2)
    expect(bytes.toString()).toBe('\x1b[31mred\r\n>>> ')

    await logs.output('web', 'more', { run: 2 })
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    expect((await readUntil(following, 'more')).text).toBe('more')
    await following.return()
  })

  test('gives what a full disk does not take, and following goes on behind it', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 1, segments: 100 })
    await logs.output('web', 'on the disk ', { at: 1000 })
    await logs.refuse('web')
    await logs.output('web', 'waiting ', { at: 2000 })
    const { bytes, cursor } = await rawTail(logs.source('web'), 1)
    expect(bytes.toString()).toBe('on the disk waiting ')
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    const next = readUntil(following, 'next')
    await logs.output('web', 'next', { at: 3000 })
    expect((await next).text).toBe('next')
    await logs.accept('web')
    const last = readUntil(following, 'last')
    await logs.output('web', 'last', { at: 4000 })
    expect((await last).text).toBe('last')
    await following.return()
  })

  test('gives nothing of an instance that never wrote, and a cursor before its first byte', async () => {
    await using logs = await LogFixture.create()
    const { bytes, cursor } = await rawTail(logs.source('web'), 1)
    expect(bytes).toHaveLength(0)
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    const first = readUntil(following, 'first')
    await logs.output('web', 'first')
    expect((await first).text).toBe('first')
    await following.return()
  })

  test('looks at the end of a long log alone', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 4 * 1024 * 1024, segments: 10 })
    for (let i = 0; i < 40; i++) await logs.output('web', Buffer.alloc(60 * 1024, 97 + (i % 26)))
    const { bytes } = await rawTail(logs.source('web'), 1, { maxBytes: 100_000 })
    expect(bytes.length).toBeLessThan(400_000)
    expect(bytes.subarray(-60 * 1024)).toEqual(Buffer.alloc(60 * 1024, 97 + (39 % 26)))
  })
})

describe('rawOutput()', () => {
  test('goes on from a cursor without losing or repeating a byte, over segments', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 64 * 1024, segments: 100 })
    let { cursor } = await rawTail(logs.source('web'), 1)
    let seen = ''
    let written = ''
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 10; i++) {
        const text = `${round}.${i} ${'x'.repeat(5000)};`
        written += text
        await logs.output('web', text)
      }
      const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
      const read = await readUntil(following, `${round}.9 ${'x'.repeat(5000)};`)
      await following.return()
      seen += read.text
      cursor = read.cursor
    }
    expect(seen).toBe(written)
  })

  test('tells of starts and exits in their place', async () => {
    await using logs = await LogFixture.create()
    await logs.record('web', { type: 'run.started', pid: 1 })
    await logs.output('web', 'a')
    await logs.record('web', { type: 'run.exited', code: 3, signal: null })
    const { cursor } = await rawTail(await emptySource(logs), 1)
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    const items = (await following.next()).value ?? []
    expect(items.map((item) => (item.type === 'record' ? item.record['type'] : item.type))).toEqual([
      'run.started',
      'output',
      'run.exited',
    ])
    await following.return()
  })

  test('each item has the cursor behind it', async () => {
    await using logs = await LogFixture.create()
    const { cursor } = await rawTail(logs.source('web'), 1)
    for (const text of ['a', 'b', 'c']) await logs.output('web', text)
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    const [first] = (await following.next()).value ?? []
    await following.return()
    const rest = rawOutput(logs.source('web'), first?.cursor() ?? '', logs.follow(never))
    expect((await readUntil(rest, 'c')).text).toBe('bc')
    await rest.return()
  })

  test('ends with what is recorded when it is told to', async () => {
    await using logs = await LogFixture.create()
    const { cursor } = await rawTail(logs.source('web'), 1)
    const end = new AbortController()
    const following = rawOutput(logs.source('web'), cursor, logs.follow(end.signal))
    const first = readUntil(following, 'a')
    await logs.output('web', 'a')
    await first
    await logs.output('web', 'b')
    end.abort()
    expect((await readUntil(following, 'b')).text).toBe('b')
    expect((await following.next()).done).toBe(true)
  })

  test('says how much was removed meanwhile', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 64 * 1024, segments: 2 })
    await logs.output('web', 'first')
    const { cursor } = await rawTail(logs.source('web'), 1)
    for (let i = 0; i < 20; i++) await logs.output('web', Buffer.alloc(30_000, 98))
    const following = rawOutput(logs.source('web'), cursor, logs.follow(never))
    const [item] = (await following.next()).value ?? []
    expect(item).toMatchObject({ type: 'missing' })
    await following.return()
  })

  test('refuses a cursor that is none', async () => {
    await using logs = await LogFixture.create()
    await expect(rawOutput(logs.source('web'), 'nonsense', logs.follow(never)).next()).rejects.toMatchObject({
      code: 'request_invalid',
    })
  })
})

/** A cursor before everything of `web`: that of a folder which is not there, under the same name. */
async function emptySource(logs: LogFixture): Promise<ReturnType<LogFixture['source']>> {
  return Promise.resolve({ ...logs.source('web'), directory: '/nonexistent' })
}
