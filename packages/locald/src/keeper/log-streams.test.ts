import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { headerBytes, readFrameHeader, segmentNames } from '../lib/segment-format.ts'
import { LogStreams } from './log-streams.ts'
import type { LogTarget, StreamTrouble } from './protocol.ts'

let directory: string
let streams: LogStreams
let grown: string[]
let troubles: StreamTrouble[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'locald-streams-'))
  grown = []
  troubles = []
  streams = new LogStreams({
    directory,
    onGrew: (stream) => grown.push(stream),
    onTrouble: (trouble) => troubles.push(trouble),
    logger: { log: () => {} },
  })
})

afterEach(async () => {
  await streams.close()
  rmSync(directory, { recursive: true, force: true })
})

function target(name: string, limits: Partial<LogTarget> = {}): LogTarget {
  return { stream: `project/${name}.1`, run: 1, segmentBytes: 100_000, segments: 100, ...limits }
}

function segments(name: string): readonly string[] {
  return segmentNames(readdirSync(join(directory, target(name).stream))).map((segment) => segment.name)
}

function bytesOnDisk(): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

async function record(to: LogTarget, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    streams.output(to, 'pty', Buffer.alloc(10_000, 'x'))
    if (i % 5 === 4) await streams.flush(to)
  }
  await streams.flush(to)
}

/** Waits for what happens to files by itself; there is no event of it. */
async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('It did not come to pass within 10 s')
    await sleep(10)
  }
}

describe('the limit of all streams together', () => {
  test('removes the oldest segments of whichever stream', async () => {
    const [old, young] = [target('old'), target('young', { totalBytes: 1_000_000 })]
    streams.hold(old)
    await record(old, 80)
    streams.release(old)
    streams.hold(young)
    const before = segments('old')
    await record(young, 60)
    await until(() => bytesOnDisk() <= 1_000_000)
    // Of 1.4 MB nearly a third had to go, all of it from what was recorded first.
    expect(segments('old').length).toBeLessThan(before.length - 3)
    expect(segments('old')).toEqual(before.slice(before.length - segments('old').length))
    expect(segmentNames(segments('young'))[0]?.firstSeq).toBe(0)
    streams.release(young)
  })

  test('holds for what nobody has opened, the output of a container', async () => {
    const one = target('one', { totalBytes: 300_000 })
    const chunk = { stream: 'stdout' as const, output: Buffer.alloc(10_000, 'x').toString('base64') }
    for (let i = 0; i < 60; i++) {
      await streams.timedOutput(one, [{ ...chunk, at: i }])
      if (i % 5 === 4) await streams.flush(one)
    }
    await until(() => bytesOnDisk() <= 300_000)
    expect(segments('one').length).toBeGreaterThan(0)
  })

  test('holds when a single segment could grow beyond it', async () => {
    const one = target('one', { segmentBytes: 100_000_000, totalBytes: 500_000 })
    streams.hold(one)
    for (let i = 0; i < 20; i++) {
      await record(one, 10)
      await sleep(20)
    }
    await record(one, 1)
    await until(() => bytesOnDisk() <= 500_000)
    expect(bytesOnDisk()).toBeGreaterThan(300_000)
    streams.release(one)
  })

  test('counts what is there from earlier, and takes a new limit at once', async () => {
    const one = target('one')
    streams.hold(one)
    await record(one, 60)
    expect(bytesOnDisk()).toBeGreaterThan(600_000)
    streams.hold(target('one', { totalBytes: 300_000 }))
    await until(() => bytesOnDisk() <= 300_000)
    expect(segments('one').length).toBeGreaterThan(0)
  })
})

describe('a disk that refuses', () => {
  test('leaves what waits to readers, tells of it once, and takes up recording again', async () => {
    const one = target('one')
    streams.hold(one)
    streams.output(one, 'pty', Buffer.from('before\n'))
    await streams.flush(one)
    expect(streams.unwritten(one.stream, 0)).toEqual({ frames: '', end: 0, lastRun: 0 })
    // The next segment cannot be made: a file is where the folder was.
    const folder = join(directory, one.stream)
    renameSync(folder, join(directory, 'aside'))
    writeFileSync(folder, '')
    streams.hold({ ...one, segmentBytes: 1 })
    for (let i = 0; i < 3; i++) {
      streams.output(one, 'pty', Buffer.from(`line ${i}\n`))
      await streams.flush(one)
    }
    expect(troubles).toEqual([{ stream: one.stream, trouble: 'EEXIST' }])
    expect(streams.troubles).toEqual(troubles)
    const { frames, end } = streams.unwritten(one.stream, 0)
    const bytes = Buffer.from(frames, 'base64')
    expect(textOf(bytes)).toBe('line 0\nline 1\nline 2\n')
    expect(end).toBe(7 + headerBytes + bytes.length)
    expect(grown).toContain(one.stream)

    rmSync(folder)
    renameSync(join(directory, 'aside'), folder)
    await until(() => troubles.length === 2)
    expect(troubles[1]).toEqual({ stream: one.stream, trouble: null })
    await streams.flush(one)
    const written = segments('one').map((name) => readFileSync(join(folder, name)))
    expect(textOf(Buffer.concat(written))).toBe('before\nline 0\nline 1\nline 2\n')
    expect(streams.unwritten(one.stream, 0).frames).toBe('')
  })

  test('costs bounded memory, however many streams there are', async () => {
    writeFileSync(join(directory, 'project'), 'where the folders should be')
    const all = Array.from({ length: 64 }, (_, i) => target(`s${i}`))
    for (const one of all) streams.hold(one)
    const chunk = Buffer.alloc(50_000, 'x')
    for (let i = 0; i < 40; i++) for (const one of all) expect(streams.output(one, 'pty', chunk)).toBe(true)
    const waiting = all.map(({ stream }) => streams.unwritten(stream, 0))
    expect(troubles).toHaveLength(64)
    for (const { frames } of waiting) expect(readFrameHeader(Buffer.from(frames, 'base64'), 0)?.kind).toBe('gap')
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(80 * 1024 * 1024)
  })
})

test('a stream that grows all the time is told of now and then, and once more at its end', async () => {
  const one = target('one', { segmentBytes: 10_000_000 })
  streams.hold(one)
  const started = performance.now()
  for (let i = 0; i < 200; i++) {
    streams.output(one, 'pty', Buffer.from('x'))
    await streams.flush(one)
  }
  const elapsed = performance.now() - started
  const before = grown.length
  expect(before).toBeGreaterThan(0)
  expect(before).toBeLessThan(elapsed / 20 + 3)
  streams.output(one, 'pty', Buffer.from('the end'))
  await streams.flush(one)
  await until(() => grown.length > before)
})

function textOf(bytes: Buffer): string {
  let text = ''
  for (let offset = 0; offset < bytes.length;) {
    const header = readFrameHeader(bytes, offset)
    if (header === null) throw new Error(`No frame at ${offset}`)
    text += bytes.toString('utf8', offset + headerBytes, offset + headerBytes + header.length)
    offset += headerBytes + header.length
  }
  return text
}
