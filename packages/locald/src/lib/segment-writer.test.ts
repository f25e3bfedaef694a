import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  decodeIndex,
  headerBytes,
  indexName,
  indexSpacing,
  readFrameHeader,
  segmentNames,
  type FrameHeader,
} from './segment-format.ts'
import { SegmentWriter, type Chunk } from './segment-writer.ts'

let base: string
let directory: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'locald-segments-'))
  directory = join(base, 'project', 'web.1')
})

afterEach(async () => {
  await rm(base, { recursive: true, force: true })
})

const limits = { segmentBytes: 1024 * 1024, segments: 10 }

function output(text: string | Uint8Array, fields: Partial<Chunk> = {}): Chunk {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  return { kind: 'output', stream: 'pty', run: 1, at: 1000, bytes, ...fields }
}

interface Recorded extends FrameHeader {
  readonly text: string
}

async function segments(): Promise<string[]> {
  return segmentNames(await readdir(directory)).map(({ name }) => name)
}

/** All frames of all segments, which must be whole. */
async function recorded(): Promise<Recorded[]> {
  const frames: Recorded[] = []
  for (const { name, firstSeq } of segmentNames(await readdir(directory))) {
    const found = framesIn(await readFile(join(directory, name)))
    expect(found[0]?.seq ?? firstSeq).toBe(firstSeq)
    frames.push(...found)
  }
  return frames
}

/** Frames that lie side by side, which must be whole. */
function framesIn(bytes: Buffer): Recorded[] {
  const frames: Recorded[] = []
  for (let offset = 0; offset < bytes.length;) {
    const header = readFrameHeader(bytes, offset)
    if (header === null) throw new Error(`No frame at ${String(offset)}`)
    expect(header.seq).toBe((frames[0]?.seq ?? header.seq) + offset)
    const from = offset + headerBytes
    offset = from + header.length
    frames.push({ ...header, text: bytes.toString('latin1', from, offset) })
  }
  return frames
}

async function write(...chunks: Chunk[]): Promise<SegmentWriter> {
  const writer = new SegmentWriter(directory, limits)
  for (const chunk of chunks) writer.append(chunk)
  await writer.close()
  return writer
}

describe('SegmentWriter', () => {
  test('records chunks with kind, stream, run and time', async () => {
    await write(
      output('one\n', { stream: 'stdout', at: 1000.125 }),
      output('two', { stream: 'stderr', at: 1000.25 }),
      output('{"type":"x"}', { kind: 'record', stream: 'none', run: 2, at: 1001 }),
    )
    expect(await recorded()).toMatchObject([
      { kind: 'output', stream: 'stdout', run: 1, at: 1000.125, text: 'one\n', open: 0 },
      { kind: 'output', stream: 'stderr', run: 1, at: 1000.25, text: 'two', open: 0 },
      { kind: 'record', stream: 'none', run: 2, at: 1001, text: '{"type":"x"}', open: 0 },
    ])
  })

  test('notes which streams stand within a line', async () => {
    await write(
      output('out', { stream: 'stdout' }),
      output('err', { stream: 'stderr' }),
      output('\n', { stream: 'stdout' }),
      output('x', { stream: 'stderr' }),
      output('anew', { stream: 'stderr', run: 2 }),
    )
    expect((await recorded()).map(({ open }) => open)).toEqual([0, 1, 3, 2, 0])
  })

  test('puts chunks of one stream into one frame when they come within milliseconds', async () => {
    await write(
      output('a', { at: 1000 }),
      output('b', { at: 1004 }),
      output('c', { at: 1006 }),
      output('d', { at: 1006, stream: 'stdout' }),
      output('e', { at: 1006, run: 2 }),
    )
    expect((await recorded()).map(({ text, at }) => [text, at])).toEqual([
      ['ab', 1000],
      ['c', 1006],
      ['d', 1006],
      ['e', 1006],
    ])
  })

  test('keeps a chunk as it was when the caller uses its buffer again', async () => {
    const writer = new SegmentWriter(directory, limits)
    const buffer = Buffer.from('first')
    writer.append(output(buffer))
    buffer.write('other')
    await writer.close()
    expect((await recorded()).map(({ text }) => text)).toEqual(['first'])
  })

  test('makes files that only their owner can read', async () => {
    await write(output(randomBytes(3 * indexSpacing)))
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600)
  })

  test('goes on where an earlier writer ended, and knows its last run', async () => {
    await write(output('one', { run: 3 }))
    const second = await write(output('two', { run: 4 }))
    expect(second.lastRun).toBe(4)
    expect((await write()).lastRun).toBe(4)
    expect((await recorded()).map(({ text }) => text)).toEqual(['one', 'two'])
    expect(await segments()).toHaveLength(1)
  })

  test('cuts a torn last frame, wherever it was torn', async () => {
    await write(output('whole\n'), output('torn\n', { run: 2 }))
    const [name = ''] = await segments()
    const bytes = await readFile(join(directory, name))
    const boundary = headerBytes + 6
    for (let size = boundary; size < bytes.length; size++) {
      await writeFile(join(directory, name), bytes.subarray(0, size))
      const writer = await write(output('next\n', { run: 3 }))
      expect(writer.lastRun).toBe(3)
      expect((await recorded()).map(({ text }) => text)).toEqual(['whole\n', 'next\n'])
    }
  })

  test('begins a new segment behind damage', async () => {
    await write(output('good\n'), output('bad\n', { run: 2 }), output('lost\n', { run: 3 }))
    const [name = ''] = await segments()
    const bytes = await readFile(join(directory, name))
    bytes[headerBytes + 5 + 3] = 0xff
    await writeFile(join(directory, name), bytes)
    await write(output('next\n', { run: 4 }))
    const names = segmentNames(await readdir(directory))
    expect(names.map(({ firstSeq }) => firstSeq)).toEqual([0, bytes.length])
    expect(await readFile(join(directory, name))).toEqual(bytes)
  })

  test('begins new segments, and removes the oldest', async () => {
    const writer = new SegmentWriter(directory, { segmentBytes: 8192, segments: 3 })
    for (let i = 0; i < 100; i++) {
      writer.append(output(`${String(i).padStart(3, '0')}${'x'.repeat(996)}\n`, { at: 1000 + i * 10 }))
      await writer.flush()
    }
    await writer.close()
    expect(await segments()).toHaveLength(3)
    for (const name of await segments()) expect((await stat(join(directory, name))).size).toBeLessThanOrEqual(8192)
    const frames = await recorded()
    const first = Number(frames[0]?.text.slice(0, 3))
    expect(frames[0]?.seq).toBe(first * (1000 + headerBytes))
    expect(frames.map(({ text }) => Number(text.slice(0, 3)))).toEqual(frames.map((_, index) => first + index))
    expect(frames.at(-1)?.text.slice(0, 3)).toBe('099')
  })

  test('writes an index of big segments, and makes it anew when it is missing, torn or behind', async () => {
    const chunks = Array.from({ length: 100 }, (_, i) => output(randomBytes(10_000), { at: 1000 + i * 10, run: 1 + i }))
    const writer = new SegmentWriter(directory, { segmentBytes: 100_000_000, segments: 2 })
    for (const chunk of chunks) {
      writer.append(chunk)
      await writer.flush()
    }
    await writer.close()
    const frames = await recorded()
    const [name = ''] = await segments()
    const path = join(directory, indexName(name))
    const whole = await readFile(path)
    const entries = decodeIndex(whole)
    expect(entries.length).toBeGreaterThan(12)
    for (const [index, entry] of entries.entries()) {
      expect(frames.find(({ seq }) => seq === entry.seq)).toMatchObject(entry)
      expect(entry.seq - (entries[index - 1]?.seq ?? 0)).toBeGreaterThanOrEqual(indexSpacing)
    }
    for (const damage of [
      (): Promise<void> => rm(path),
      (): Promise<void> => truncate(path, whole.length - 30),
      (): Promise<void> => truncate(path, 24),
      (): Promise<void> => writeFile(path, randomBytes(whole.length)),
    ]) {
      await damage()
      const again = new SegmentWriter(directory, { segmentBytes: 100_000_000, segments: 2 })
      expect(again.lastRun).toBe(100)
      await again.close()
      expect(await readFile(path)).toEqual(whole)
    }
  })

  test('resolves flush() once everything appended before is in the file', async () => {
    let flushes = 0
    const writer = new SegmentWriter(directory, { ...limits, onFlushed: () => flushes++ })
    writer.append(output('one'))
    expect(await writer.flush()).toBe(true)
    expect((await recorded()).map(({ text }) => text)).toEqual(['one'])
    expect(flushes).toBe(1)
    expect(writer.bufferedBytes).toBe(0)
    expect(await writer.flush()).toBe(true)
    await writer.close()
  })

  test('writes by itself, without flush()', async () => {
    await new Promise<void>((resolve) => {
      const writer = new SegmentWriter(directory, { ...limits, onFlushed: () => resolve(writer.close()) })
      writer.append(output('one'))
    })
    expect((await recorded()).map(({ text }) => text)).toEqual(['one'])
  })

  test('asks for a pause while too much is waiting, and tells when there is room again', async () => {
    const writer = new SegmentWriter(directory, { segmentBytes: 100_000_000, segments: 2 })
    const chunk = output(randomBytes(4095))
    let appended = 0
    while (writer.append(chunk)) appended++
    expect(writer.bufferedBytes).toBeGreaterThan(1024 * 1024)
    await writer.drained()
    expect(writer.bufferedBytes).toBeLessThan(1024 * 1024)
    await writer.close()
    const bytes = (await recorded()).reduce((sum, { length }) => sum + length, 0)
    expect(bytes).toBe((appended + 1) * 4095)
  })

  test('drops the oldest of what waits when it is not paused, and accounts for it', async () => {
    const writer = new SegmentWriter(directory, {
      segmentBytes: 100_000_000,
      segments: 2,
      ringBytes: () => 2 * 1024 * 1024,
    })
    for (let i = 0; i < 4000; i++) writer.append(output(Buffer.alloc(4000, i % 256), { at: 1000 + i * 10 }))
    expect(writer.bufferedBytes).toBeLessThan(2.5 * 1024 * 1024)
    await writer.close()
    const frames = await recorded()
    const gap = frames.find(({ kind }) => kind === 'gap')
    const account: unknown = JSON.parse(gap?.text ?? '')
    const kept = frames.filter(({ kind }) => kind === 'output').length
    expect(account).toEqual({ reason: 'overload', bytes: (4000 - kept) * 4000, frames: 4000 - kept })
    expect(frames.at(-1)?.at).toBe(1000 + 3999 * 10)
  })

  test('waits for a directory that cannot be made, keeps the newest, and accounts for the rest', async () => {
    await writeFile(join(base, 'project'), 'a file where the directory should be')
    const errors: unknown[] = []
    const writer = new SegmentWriter(directory, {
      ...limits,
      ringBytes: () => 600_000,
      onError: (error) => errors.push(error),
    })
    expect(writer.failing).toBe(true)
    for (let i = 0; i < 100; i++) {
      expect(writer.append(output(randomBytes(20_000), { at: 1000 + i * 10 }))).toBe(true)
    }
    await writer.drained()
    expect(await writer.flush()).toBe(false)
    expect(writer.bufferedBytes).toBeLessThan(900_000)
    expect(errors).toHaveLength(1)
    await rm(join(base, 'project'))
    expect(await writer.flush()).toBe(true)
    expect(writer.failing).toBe(false)
    await writer.close()
    const frames = await recorded()
    expect(frames[0]?.kind).toBe('gap')
    const account: unknown = JSON.parse(frames[0]?.text ?? '')
    expect(account).toMatchObject({ reason: 'ENOTDIR', bytes: (100 - (frames.length - 1)) * 20_000 })
    expect(frames.at(-1)?.at).toBe(1990)
  })

  test('shows what waits exactly as it is written later, also what has lost its beginning', async () => {
    await mkdir(join(base, 'project'))
    await write(output('before\n'))
    // The folder is opened at the end of what is there; then a file takes its place.
    let troubles = 0
    const writer = new SegmentWriter(directory, {
      segmentBytes: 1,
      segments: 1000,
      ringBytes: () => 100_000,
      onError: () => troubles++,
      onRecovered: () => (troubles += 100),
    })
    await rename(directory, join(base, 'kept'))
    await writeFile(directory, 'in the way')
    const append = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) {
        writer.append(output(`${String(i)} ${'x'.repeat(1000)}`, { at: 1000 + i * 10, stream: 'stdout' }))
      }
    }
    append(0, 50)
    expect(await writer.flush()).toBe(false)
    const first = framesIn(writer.waiting(0, Infinity).bytes)
    expect(first).toHaveLength(50)
    expect(first[0]).toMatchObject({ seq: 7 + headerBytes, kind: 'output' })
    append(50, 250)
    expect(await writer.flush()).toBe(false)
    const { bytes, end } = writer.waiting(0, Infinity)
    const frames = framesIn(bytes)
    expect(frames[0]?.kind).toBe('gap')
    const account = JSON.parse(frames[0]?.text ?? '') as { bytes: number; frames: number; reason: string }
    expect(account.reason).toBe('EEXIST')
    expect(account.frames + frames.length - 1).toBe(300)
    expect(frames.at(-1)?.text).toMatch(/^299 /)
    expect(end).toBe((frames.at(-1)?.seq ?? 0) + headerBytes + (frames.at(-1)?.length ?? 0))
    const middle = frames[20]?.seq ?? 0
    expect(framesIn(writer.waiting(middle, 3000).bytes)).toEqual(frames.slice(20, 23))
    expect(writer.waiting(end, Infinity).bytes).toHaveLength(0)

    await rm(directory)
    await rename(join(base, 'kept'), directory)
    expect(await writer.flush()).toBe(true)
    await writer.close()
    const [before, ...written] = await recorded()
    expect(before?.text).toBe('before\n')
    expect(written).toEqual(frames)
    expect(troubles).toBe(101)
  })

  test('gives what was shown while it waited no other end', async () => {
    await writeFile(join(base, 'project'), 'in the way')
    const writer = new SegmentWriter(directory, limits)
    writer.append(output('a'))
    const shown = writer.waiting(0, Infinity)
    writer.append(output('b'))
    expect(framesIn(writer.waiting(shown.end, Infinity).bytes).map(({ text }) => text)).toEqual(['b'])
    await rm(join(base, 'project'))
    await writer.close()
    expect((await recorded()).map(({ text }) => text)).toEqual(['a', 'b'])
  })

  test('begins a new segment when asked to, and takes other limits', async () => {
    const writer = new SegmentWriter(directory, limits)
    writer.append(output('a'))
    await writer.flush()
    expect([writer.openSegment]).toEqual(await segments())
    writer.endSegment()
    expect(writer.openSegment).toBe(null)
    writer.append(output('b'))
    await writer.flush()
    expect(await segments()).toHaveLength(2)
    writer.limit({ segmentBytes: 1, segments: 3 })
    for (const text of 'cdefgh') {
      writer.append(output(text))
      await writer.flush()
    }
    await writer.close()
    expect((await recorded()).map(({ text }) => text)).toEqual(['f', 'g', 'h'])
  })

  test('ignores what is appended after close(), which may be called twice', async () => {
    const writer = await write(output('one'))
    expect(writer.append(output('two'))).toBe(true)
    await writer.close()
    expect((await recorded()).map(({ text }) => text)).toEqual(['one'])
  })
})
