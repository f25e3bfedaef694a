import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RunsFile } from './runs-file.ts'
import type { RunEntry } from './runs-file.ts'

function makePath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'runs-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'runs.jsonl')
}

function entry(run: string): RunEntry {
  const identity = { pid: 1, startTime: 2, marker: run, lockLimit: null }
  return { run, tag: { a: 1 }, identity, startedAt: 3, boot: 'b' }
}

test('RunsFile gives back what had not ended, also after a torn last line', () => {
  const path = makePath()
  const file = new RunsFile(path)
  for (const run of ['a', 'b', 'c']) file.add(entry(run))
  file.remove('b')
  file.remove('unknown')
  appendFileSync(path, '{"run":"d","ident')
  expect(new RunsFile(path).entries).toEqual([entry('a'), entry('c')])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(new RunsFile(path).entries).toEqual([entry('a'), entry('c')])
})

test('RunsFile stays small however much was started', () => {
  const path = makePath()
  const file = new RunsFile(path)
  file.add(entry('stays'))
  for (let i = 0; i < 2000; i++) {
    file.add(entry(`r${i}`))
    file.remove(`r${i}`)
  }
  expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(1100)
  expect(new RunsFile(path).entries).toEqual([entry('stays')])
})
