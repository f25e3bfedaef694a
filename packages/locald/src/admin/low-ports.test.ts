import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closePortsChange, openPortsChange, portStart } from './low-ports.ts'
import { makeChange } from './system-change.ts'
import { systemPathsBelow } from './system-paths.ts'
import type { SystemPaths } from './system-paths.ts'

let root = ''
let paths: SystemPaths = systemPathsBelow('/nonexistent')
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ports-'))
  paths = systemPathsBelow(root)
  mkdirSync(dirname(paths.portStart), { recursive: true })
  writeFileSync(paths.portStart, '1000\n')
})
afterEach(() => rmSync(root, { recursive: true }))

async function make(change: ReturnType<typeof openPortsChange>): Promise<void> {
  if (change === null) throw new Error('No change')
  await makeChange(change)
}

test('the limit is lowered once, remembered, and put back', async () => {
  await make(openPortsChange(paths))
  expect(portStart(paths)).toBe(80)
  expect(readFileSync(paths.sysctlFile, 'utf8')).toContain(
    '\n# Before: 1000\nnet.ipv4.ip_unprivileged_port_start = 80\n',
  )
  expect(openPortsChange(paths)).toBeNull()
  await make(closePortsChange(paths))
  expect(portStart(paths)).toBe(1000)
  expect(existsSync(paths.sysctlFile)).toBe(false)
  expect(closePortsChange(paths)).toBeNull()
})

test('a second setup, after somebody has raised the limit again, still remembers the first value', async () => {
  await make(openPortsChange(paths))
  writeFileSync(paths.portStart, '1024\n')
  await make(openPortsChange(paths))
  await make(closePortsChange(paths))
  expect(portStart(paths)).toBe(1000)
})

test('a limit that is low already, or that this system does not have, is left alone', () => {
  writeFileSync(paths.portStart, '0\n')
  expect(openPortsChange(paths)).toBeNull()
  rmSync(paths.portStart)
  expect(openPortsChange(paths)).toBeNull()
})
