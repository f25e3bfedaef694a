import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runBySudo, sudoCommand } from './sudo.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'locald-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

/** Stands in for sudo, and runs what follows `--`. */
function placeSudo(directory: string): string {
  const path = join(root, directory, 'sudo')
  mkdirSync(join(root, directory), { recursive: true })
  writeFileSync(path, '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
  chmodSync(path, 0o755)
  return path
}

test('sudo is that of the system, whatever else the PATH has under its name', async () => {
  placeSudo('home/ann/bin')
  vi.stubEnv('PATH', `${join(root, 'home/ann/bin')}:${process.env['PATH'] ?? ''}`)
  expect(await sudoCommand(['id'], { isInteractive: true, root })).toBeNull()
  expect(await runBySudo(['true'], { isInteractive: true, root })).toBe('there is no sudo')

  const path = placeSudo('usr/bin')
  expect(await sudoCommand(['id', '-u'], { isInteractive: true, root })).toEqual([path, '--', 'id', '-u'])
  expect(await sudoCommand(['id', '-u'], { isInteractive: false, root })).toEqual([path, '-n', '--', 'id', '-u'])
})

test('runBySudo() says how it ended', async () => {
  placeSudo('usr/bin')
  const run = async (script: string): Promise<string | null> =>
    await runBySudo(['/bin/sh', '-c', script], { isInteractive: false, root })
  expect(await run('exit 0')).toBeNull()
  expect(await run('exit 3')).toBe('sudo exited with 3')
  expect(await run('kill -9 $$')).toBe('sudo exited with SIGKILL')
  writeFileSync(join(root, 'usr/bin/sudo'), '#!/nonexistent/sh\n')
  expect(await run('exit 0')).toMatch(/^sudo cannot be run: /u)
})
