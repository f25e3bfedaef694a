import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { installationFor } from '../lib/installation.ts'
import { processEntry, startTimeOf } from '../lib/process-tree.ts'
import { livingKeeper } from './living-keeper.ts'
import type { Installation } from '../lib/installation.ts'

let home: string
let installation: Installation

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'locald-keeper-'))
  installation = { ...installationFor({ LOCALD_HOME: home }), keeperLock: join(home, 'keeper.lock') }
})

afterEach(() => rmSync(home, { recursive: true }))

test('livingKeeper() is the pid that the lock tells, while it is the same process', () => {
  expect(livingKeeper(installation)).toBeNull()
  const startTime = startTimeOf(process.pid) ?? 0
  writeFileSync(installation.keeperLock, `${process.pid} ${startTime}\n`)
  expect(livingKeeper(installation)).toBe(process.pid)
  writeFileSync(installation.keeperLock, `${process.pid} ${startTime - 1}\n`)
  expect(livingKeeper(installation)).toBeNull()
})

test('livingKeeper() is nobody when the keeper has ended and is not reaped yet', async () => {
  // What the shell becomes does not know of the child.
  const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = await once(createInterface(parent.stdout), 'line')
    const pid = Number(line)
    process.kill(pid, 'SIGKILL')
    writeFileSync(installation.keeperLock, `${pid} ${startTimeOf(pid)}\n`)
    await expect.poll(() => processEntry(pid)).toMatchObject({ state: 'Z' })
    expect(livingKeeper(installation)).toBeNull()
  } finally {
    parent.kill('SIGKILL')
  }
})
