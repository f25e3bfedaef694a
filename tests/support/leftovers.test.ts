import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findLeftovers } from './leftovers.ts'

const children: ChildProcess[] = []
let directory: string

async function start(env: Record<string, string>, cwd: string): Promise<number> {
  // It says so when it runs: before that, /proc still shows what it was forked from.
  const child = spawn('/bin/sh', ['-c', 'echo up; read line'], { env, cwd, stdio: ['pipe', 'pipe', 'ignore'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child.pid ?? 0
}

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'left-')))
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    const gone = once(child, 'exit')
    child.stdin?.end()
    await gone
  }
  rmSync(directory, { recursive: true })
})

test('findLeftovers() finds a process by a variable of its environment', async () => {
  const pid = await start({ MARK: 'mine' }, '/')
  const other = await start({ MARK: 'mine too' }, '/')
  const found = findLeftovers({ variable: 'MARK=mine' }).map((process) => process.pid)
  expect(found).toContain(pid)
  expect(found).not.toContain(other)
})

test('findLeftovers() finds a process by its directory, whatever its environment', async () => {
  const pid = await start({}, directory)
  expect(findLeftovers({ directory })).toEqual([expect.objectContaining({ pid, why: `works in ${directory}` })])
})

test('findLeftovers() finds nothing in a directory that no process works in', async () => {
  await start({}, '/')
  expect(findLeftovers({ directory })).toEqual([])
})
