import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { RunsFile } from './runs-file.ts'
import type { RunEntry } from './runs-file.ts'

function makePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'runs-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'runs.jsonl')
}

const log = { stream: 's', run: 1, segmentBytes: 1, segments: 1 }

function open(path: string, troubles: string[] = [], unwritten: unknown[] = []): RunsFile {
  const file = new RunsFile(path, {
    onDamaged: (message) => troubles.push(message),
    onUnwritten: (error) => unwritten.push(error),
  })
  onTestFinished(() => file[Symbol.dispose]())
  return file
}

/** Until the end of the test timers run when it says so. */
function holdTimers(): void {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
}

function entry(run: string): RunEntry {
  const identity = { pid: 1, startTime: 2, marker: run, lockLimit: null }
  return { run, tag: { a: 1 }, identity, startedAt: 3, boot: 'b', log }
}

test('RunsFile gives back what had not ended, also after a torn last line', () => {
  const path = makePath()
  const file = open(path)
  for (const run of ['a', 'b', 'c']) file.add(entry(run))
  file.remove('b')
  file.remove('unknown')
  appendFileSync(path, '{"run":"d","ident')
  expect(open(path).entries).toEqual([entry('a'), entry('c')])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(open(path).entries).toEqual([entry('a'), entry('c')])
})

test('RunsFile stays small however much was started', () => {
  const path = makePath()
  const file = open(path)
  file.add(entry('stays'))
  for (let i = 0; i < 2000; i++) {
    file.add(entry(`r${i}`))
    file.remove(`r${i}`)
  }
  expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(1100)
  expect(open(path).entries).toEqual([entry('stays')])
})

test('RunsFile sets a damaged file aside, and keeps what can be read of it', () => {
  const path = makePath()
  open(path).add(entry('a'))
  appendFileSync(path, `\0\0\0\n${JSON.stringify(entry('b'))}\n`)
  const troubles: string[] = []
  expect(open(path, troubles).entries).toEqual([entry('a'), entry('b')])
  expect(troubles).toEqual([expect.stringContaining('damaged')])
  expect(readdirSync(dirname(path)).filter((name) => name.includes('damaged'))).toHaveLength(1)
  expect(open(path, troubles).entries).toHaveLength(2)
  expect(troubles).toHaveLength(1)
})

test('RunsFile lives with a directory in its place', () => {
  const path = makePath()
  mkdirSync(path)
  const troubles: string[] = []
  open(path, troubles).add(entry('a'))
  expect(troubles).toHaveLength(1)
  expect(open(path).entries).toEqual([entry('a')])
})

test('RunsFile writes what the disk refused as soon as there is room, without another start or end', () => {
  holdTimers()
  const path = makePath()
  const unwritten: unknown[] = []
  const file = open(path, [], unwritten)
  file.add(entry('a'))
  const away = `${dirname(path)}.away`
  renameSync(dirname(path), away)
  file.add(entry('b'))
  file.add(entry('c'))
  file.remove('a')
  vi.advanceTimersByTime(10_000)
  expect(unwritten, 'told once').toHaveLength(1)
  expect(vi.getTimerCount(), 'one try at a time').toBe(1)
  renameSync(away, dirname(path))
  vi.advanceTimersByTime(1000)
  expect(open(path).entries).toEqual([entry('b'), entry('c')])
  expect(vi.getTimerCount(), 'nothing wakes the keeper once all is written').toBe(0)
})

test('RunsFile writes what the disk refused with the next start, should that come first', () => {
  holdTimers()
  const path = makePath()
  const file = open(path)
  const away = `${dirname(path)}.away`
  renameSync(dirname(path), away)
  file.add(entry('a'))
  renameSync(away, dirname(path))
  file.add(entry('b'))
  expect(open(path).entries).toEqual([entry('a'), entry('b')])
})

test('RunsFile opens on a full disk, and goes on from the file that is there', () => {
  holdTimers()
  const path = makePath()
  open(path).add(entry('a'))
  const before = readFileSync(path, 'utf8')
  // Whatever is written to it meets a full disk.
  symlinkSync('/dev/full', `${path}.new`)
  const unwritten: unknown[] = []
  const file = open(path, [], unwritten)
  expect(file.entries).toEqual([entry('a')])
  expect(unwritten).toMatchObject([{ code: 'ENOSPC' }])
  file.add(entry('b'))
  expect(readFileSync(path, 'utf8')).toBe(before)
  rmSync(`${path}.new`)
  vi.advanceTimersByTime(1000)
  expect(open(path).entries).toEqual([entry('a'), entry('b')])
})

test('RunsFile sets a file of another format aside, and takes nobody of it for a service', () => {
  const path = makePath()
  const text = [{ format: 2 }, entry('a')].map((line) => `${JSON.stringify(line)}\n`).join('')
  writeFileSync(path, text)
  const troubles: string[] = []
  expect(open(path, troubles).entries).toEqual([])
  expect(troubles).toEqual([expect.stringContaining('another version')])
  const aside = readdirSync(dirname(path)).find((name) => name.includes('damaged')) ?? ''
  expect(readFileSync(join(dirname(path), aside), 'utf8')).toBe(text)
})
