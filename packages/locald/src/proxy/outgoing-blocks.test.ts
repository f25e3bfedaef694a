import { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { fewUnsentBytes, mostUnsentBytes, mostUnsentInAllBytes, readBytes } from './limits.ts'
import { isMuchUnsent, keptBytes, OutgoingBlocks } from './outgoing-blocks.ts'

/** Takes one write at a time, each when it is told to. */
class SlowStream extends Writable {
  readonly writes: Buffer[] = []
  #take: (() => void) | null = null
  #done: ((error: Error) => void) | null = null

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#done = done
    this.#take = () => {
      this.#done = null
      // Only now, as the system does it: whoever overwrites what is under way is found out.
      this.writes.push(Buffer.from(chunk))
      done()
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#done?.(new Error('It is gone'))
    done(error)
  }

  async takeOne(): Promise<void> {
    const take = this.#take
    this.#take = null
    take?.()
    await setImmediate()
  }
}

function openClient(bytes: Buffer): { readonly stream: SlowStream; readonly blocks: OutgoingBlocks } {
  const stream = new SlowStream()
  const blocks = new OutgoingBlocks(stream, () => undefined)
  blocks.add(bytes)
  blocks.send()
  return { stream, blocks }
}

/** Clients who take nothing, and together have more than all may have. */
function keepMuch(): readonly SlowStream[] {
  const count = Math.ceil(mostUnsentInAllBytes / readBytes) + 1
  return Array.from({ length: count }, () => openClient(Buffer.alloc(readBytes)).stream)
}

const pieceBytes = mostUnsentBytes / 4

/** As many of each letter. */
function filled(letters: string): string {
  return Array.from(letters, (letter) => letter.repeat(pieceBytes)).join('')
}

test('OutgoingBlocks collects what comes while a write is under way, and sends it at once', async () => {
  const stream = new SlowStream()
  const blocks = new OutgoingBlocks(stream, () => undefined)
  const memory = Buffer.alloc(pieceBytes)
  for (const letter of 'abcd') {
    blocks.add(memory.fill(letter))
    blocks.send()
  }
  expect(blocks.isEmpty).toBe(false)
  await stream.takeOne()
  expect(blocks.isEmpty).toBe(true)
  memory.fill('x')
  await stream.takeOne()
  expect(stream.writes.map(({ length }) => length)).toEqual([pieceBytes, 3 * pieceBytes])
  expect(Buffer.concat(stream.writes).toString() === filled('abcd')).toBe(true)
})

test('OutgoingBlocks keeps the order of what is larger than a block, of text, and of what is written past it', async () => {
  const stream = new SlowStream()
  const blocks = new OutgoingBlocks(stream, () => undefined)
  blocks.addText('head ')
  for (const letter of 'abcdefgh') blocks.add(Buffer.alloc(pieceBytes, letter))
  blocks.add(Buffer.alloc(readBytes + 1000, 'i'))
  blocks.flush()
  stream.write('past it')
  blocks.addText(' last')
  blocks.end()
  while (!stream.writableFinished) await stream.takeOne()
  const expected = `head ${filled('abcdefgh')}${'i'.repeat(readBytes + 1000)}past it last`
  expect(Buffer.concat(stream.writes).toString() === expected).toBe(true)
})

test('OutgoingBlocks of a hundred clients that take nothing never mixes up what they have', async () => {
  const clients = Array.from({ length: 100 }, (_, n) => {
    const stream = new SlowStream()
    const blocks = new OutgoingBlocks(stream, () => undefined)
    const letter = String.fromCodePoint(0x41 + (n % 50))
    return { stream, blocks, letter }
  })
  const memory = Buffer.alloc(pieceBytes)
  for (let round = 0; round < 3; round += 1) {
    for (const { blocks, letter } of clients) {
      blocks.add(memory.fill(letter))
      blocks.send()
    }
  }
  for (const { blocks } of clients) blocks.end()
  for (const { stream, letter } of clients) {
    while (!stream.writableFinished) await stream.takeOne()
    expect(Buffer.concat(stream.writes).equals(Buffer.alloc(3 * pieceBytes, letter))).toBe(true)
  }
})

test('OutgoingBlocks of a stream that is destroyed sends nothing more, and throws nothing', async () => {
  const stream = new SlowStream()
  stream.on('error', () => undefined)
  const blocks = new OutgoingBlocks(stream, () => undefined)
  for (const letter of 'ab') {
    blocks.add(Buffer.alloc(pieceBytes, letter))
    blocks.send()
  }
  stream.destroy()
  await setImmediate()
  expect([blocks.isEmpty, stream.writes.length]).toEqual([true, 0])
})

test('OutgoingBlocks says when there is no room, and once when there is again', async () => {
  const stream = new SlowStream()
  let told = 0
  const blocks = new OutgoingBlocks(stream, () => (told += 1))
  const room: boolean[] = []
  for (const letter of 'abcde') {
    blocks.add(Buffer.alloc(pieceBytes, letter))
    blocks.send()
    room.push(blocks.hasRoom())
  }
  expect(room).toEqual([true, true, true, false, false])
  await stream.takeOne()
  expect(told).toBe(0)
  await stream.takeOne()
  expect(told).toBe(1)
  expect(Buffer.concat(stream.writes).toString() === filled('abcde')).toBe(true)
})

test('OutgoingBlocks says that there is room again although the stream itself never was full', async () => {
  const greedy = keepMuch()
  const stream = new SlowStream({ highWaterMark: 2 * fewUnsentBytes })
  let told = 0
  const blocks = new OutgoingBlocks(stream, () => (told += 1))
  for (let count = 0; count < 5; count += 1) blocks.pass(Buffer.alloc(fewUnsentBytes / 4))
  expect([isMuchUnsent(), blocks.hasRoom()]).toEqual([true, false])
  for (let count = 0; count < 5; count += 1) await stream.takeOne()
  expect(told).toBe(1)
  for (const each of [...greedy, stream]) each.destroy()
  await setImmediate()
  expect(keptBytes()).toBe(0)
})

test('OutgoingBlocks lets everybody keep little once all together keep much, until they keep less', async () => {
  const before = openClient(Buffer.alloc(fewUnsentBytes))
  const greedy = keepMuch()
  expect(isMuchUnsent()).toBe(true)
  const later = openClient(Buffer.alloc(fewUnsentBytes))
  expect([before.blocks.hasRoom(), later.blocks.hasRoom()]).toEqual([false, false])
  for (const stream of greedy) stream.destroy()
  await setImmediate()
  expect([isMuchUnsent(), before.blocks.hasRoom(), later.blocks.hasRoom()]).toEqual([false, true, true])
  for (const { stream } of [before, later]) stream.destroy()
})
