import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Journal } from './journal.ts'

const disk = vi.hoisted(() => ({ isFull: false }))

// Nothing but a real file system of its own would refuse an open file; tests/e2e/full-disk.test.ts has one.
vi.mock(import('node:fs'), async (importOriginal) => {
  const fs = await importOriginal()
  const refuse = (): void => {
    if (disk.isFull) throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' })
  }
  const writeSync = ((...args: Parameters<typeof fs.writeSync>) => {
    refuse()
    return fs.writeSync(...args)
  }) as typeof fs.writeSync
  const writeFileSync: typeof fs.writeFileSync = (...args) => {
    refuse()
    fs.writeFileSync(...args)
  }
  return { ...fs, writeSync, writeFileSync }
})

interface Event {
  readonly seq: number
  readonly at: string
  readonly name: string
}

let directory: string
let troubles: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'locald-journal-'))
  troubles = []
})
afterEach(() => rmSync(directory, { recursive: true }))

/** A journal whose state is the list of all changes. */
function open(compactBytes?: number): { journal: Journal<Event, string>; state: string[] } {
  const state: string[] = []
  const journal = Journal.open<Event, string>(
    {
      directory,
      now: () => new Date(0),
      onTrouble: (message) => troubles.push(message),
      ...(compactBytes === undefined ? {} : { compactBytes }),
    },
    ({ stored, changes }) => state.push(...((stored ?? []) as string[]), ...changes),
    () => state,
  )
  return { journal, state }
}

function add({ journal, state }: ReturnType<typeof open>, name: string): void {
  state.push(name)
  journal.append((seq, at) => ({ seq, at, name }), [name])
}

test('Journal gives a new process every change in order', () => {
  const first = open()
  for (const name of ['a', 'b', 'c']) add(first, name)
  first.journal[Symbol.dispose]()
  expect(open().state).toEqual(['a', 'b', 'c'])
})

test('Journal goes on counting where the one before stopped', () => {
  const first = open()
  add(first, 'a')
  first.journal[Symbol.dispose]()
  const second = open()
  add(second, 'b')
  expect(second.journal.seq).toBe(2)
})

test('Journal keeps the state whole through compaction', () => {
  const first = open(200)
  const names = Array.from({ length: 50 }, (_, i) => `change-${i}`)
  for (const name of names) add(first, name)
  first.journal[Symbol.dispose]()
  expect(readdirSync(directory).sort()).toEqual(['entries.jsonl', 'entries.old.jsonl', 'snapshot.json'])
  expect(readFileSync(join(directory, 'entries.jsonl')).length).toBeLessThan(1000)
  const second = open(200)
  expect(second.state).toEqual(names)
  expect(second.journal.seq).toBe(50)
})

test('Journal cuts a torn last entry and goes on', () => {
  const first = open()
  add(first, 'a')
  add(first, 'b')
  first.journal[Symbol.dispose]()
  const path = join(directory, 'entries.jsonl')
  writeFileSync(path, readFileSync(path).subarray(0, -7))
  const second = open()
  expect(second.state).toEqual(['a'])
  add(second, 'c')
  second.journal[Symbol.dispose]()
  expect(open().state).toEqual(['a', 'c'])
  expect(troubles).toEqual([])
})

test('Journal sets a damaged file aside and says so', () => {
  writeFileSync(join(directory, 'entries.jsonl'), '{"seq":1,"changes":["a"]}\nrubbish\n{"seq":3,"changes":["c"]}\n')
  const { state } = open()
  expect(state).toEqual(['a'])
  expect(troubles).toEqual([expect.stringContaining('damaged')])
  expect(readdirSync(directory).some((name) => name.startsWith('entries.jsonl.damaged-'))).toBe(true)
  expect(open().state, 'what could be read is there the next time too').toEqual(['a'])
})

test('Journal sets a damaged snapshot aside', () => {
  writeFileSync(join(directory, 'snapshot.json'), '{"format":1,"se')
  expect(open().state).toEqual([])
  expect(troubles).toHaveLength(1)
})

test('subscribe() returns what came after a number, and then every event once', () => {
  const opened = open()
  for (const name of ['a', 'b', 'c']) add(opened, name)
  const heard: string[] = []
  const { missed, stop } = opened.journal.subscribe(1, (event) => heard.push(event.name))
  expect(missed?.map((event) => event.name)).toEqual(['b', 'c'])
  add(opened, 'd')
  stop()
  add(opened, 'e')
  expect(heard).toEqual(['d'])
})

test('subscribe() says when it cannot give everything since', () => {
  const opened = open()
  for (let i = 0; i < 2100; i++) add(opened, `${i}`)
  expect(opened.journal.subscribe(5, () => {}).missed).toBeNull()
  expect(opened.journal.subscribe(2100, () => {}).missed).toEqual([])
  expect(opened.journal.subscribe(9999, () => {}).missed).toBeNull()
})

test('subscribe() resumes across a restart of the process', () => {
  const first = open()
  for (const name of ['a', 'b', 'c']) add(first, name)
  first.journal[Symbol.dispose]()
  expect(
    open()
      .journal.subscribe(2, () => {})
      .missed?.map((event) => event.name),
  ).toEqual(['c'])
})

test('subscribe() resumes across a restart and the compaction just before it', () => {
  const first = open(1000)
  const names = Array.from({ length: 100 }, (_, i) => `change-${i}`)
  let snapshots = 0
  for (const name of names) {
    add(first, name)
    const entries = readFileSync(join(directory, 'entries.jsonl'), 'utf8')
    if (entries === '') snapshots += 1
  }
  expect(snapshots).toBeGreaterThan(3)
  for (let i = 100; readFileSync(join(directory, 'entries.jsonl'), 'utf8') !== ''; i += 1) {
    names.push(`change-${i}`)
    add(first, `change-${i}`)
  }
  first.journal[Symbol.dispose]()
  const { missed } = open(1000).journal.subscribe(names.length - 5, () => {})
  expect(missed?.map((event) => event.name)).toEqual(names.slice(-5))
})

test('batch() is stored as a whole or not at all', () => {
  const first = open()
  add(first, 'a')
  const heard: string[] = []
  first.journal.subscribe(null, (event) => heard.push(event.name))
  first.journal.batch(() => {
    for (const name of ['b', 'c', 'd']) add(first, name)
    expect(heard).toEqual([])
    expect(open().state).toEqual(['a'])
  })
  expect(heard).toEqual(['b', 'c', 'd'])
  add(first, 'e')
  first.journal[Symbol.dispose]()
  expect(open().state).toEqual(['a', 'b', 'c', 'd', 'e'])
  const path = join(directory, 'entries.jsonl')
  const lines = readFileSync(path, 'utf8').split('\n')
  for (const kept of [2, 3]) {
    // Ended by SIGKILL in the middle of the write.
    writeFileSync(path, `${lines.slice(0, kept).join('\n')}\n${lines[kept]?.slice(0, 9)}`)
    const next = open()
    expect(next.state).toEqual(['a'])
    expect(next.journal.seq).toBe(1)
    add(next, 'x')
    next.journal[Symbol.dispose]()
    expect(open().state).toEqual(['a', 'x'])
  }
  expect(troubles).toEqual([])
})

test('batch() stores what was done when its work throws', () => {
  const first = open()
  const work = (): void => {
    add(first, 'a')
    throw new Error('Half way')
  }
  expect(() => first.journal.batch(work)).toThrow('Half way')
  expect(open().state).toEqual(['a'])
})

test('Journal stores what a full disk refused as soon as there is room, though nothing else happens', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const first = open()
  add(first, 'a')
  disk.isFull = true
  onTestFinished(() => void (disk.isFull = false))
  add(first, 'b')
  vi.advanceTimersByTime(10_000)
  expect(troubles, 'told once').toEqual([expect.stringContaining('Cannot write the journal')])
  expect(vi.getTimerCount(), 'one try at a time').toBe(1)
  expect(open().state).toEqual(['a'])
  disk.isFull = false
  vi.advanceTimersByTime(1000)
  expect(vi.getTimerCount(), 'nothing wakes the daemon once all is stored').toBe(0)
  expect(open().state).toEqual(['a', 'b'])
  first.journal[Symbol.dispose]()
})

test('Journal that is closed tries nothing more', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const first = open()
  disk.isFull = true
  onTestFinished(() => void (disk.isFull = false))
  add(first, 'a')
  first.journal[Symbol.dispose]()
  expect(vi.getTimerCount()).toBe(0)
})
