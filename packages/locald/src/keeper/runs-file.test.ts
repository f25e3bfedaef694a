import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RunsFile } from './runs-file.ts'
import type { RunEntry } from './runs-file.ts'

function makePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'runs-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'runs.jsonl')
}

const log = { stream: 's', run: 1, segmentBytes: 1, segments: 1 }

function open(path: string, troubles: string[] = []): RunsFile {
  return new RunsFile(path, (message) => troubles.push(message))
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
