import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loginEnvironment } from './login-environment.ts'
import type { Login } from './login-environment.ts'
import { startTimeOf } from './process-tree.ts'

let home: string

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'le-')))
})

afterEach(() => rmSync(home, { recursive: true }))

/** A login whose shell is this script. */
function loginWith(script: string, more: Partial<Login> = {}): Login {
  const shell = join(home, 'shell')
  writeFileSync(shell, `#!/bin/sh\n${script}\n`)
  chmodSync(shell, 0o755)
  return { user: 'ada', shell, home, ...more }
}

test('loginEnvironment() is what the profile makes of a fresh environment', async () => {
  writeFileSync(join(home, '.profile'), 'echo Welcome\nexport TOOLS="a=b\nc"\nPATH="$HOME/bin:$PATH"\n')
  const variables = await loginEnvironment({ user: 'ada', shell: '/bin/sh', home, session: { LANG: 'C.UTF-8' } })
  expect(variables).toMatchObject({ HOME: home, USER: 'ada', SHELL: '/bin/sh', LANG: 'C.UTF-8', TOOLS: 'a=b\nc' })
  expect(variables['PATH']).toMatch(new RegExp(`^${home}/bin:/`))
  expect(Object.keys(variables)).not.toContain('VITEST')
})

test('loginEnvironment() asks a shell without input, in a session of its own, and takes what stands between the marks', async () => {
  const login = loginWith(`echo noise; cat; ps -o sid= -p $$ > sid; export PID=$$; eval "$2"; printf more; echo bye`)
  const variables = await loginEnvironment(login)
  expect(readFileSync(join(home, 'sid'), 'utf8').trim()).toBe(variables['PID'])
})

test('loginEnvironment() does not wait for what a profile leaves in the background', async () => {
  const login = loginWith('sleep 1000 & echo $! > pid; eval "$2"')
  try {
    expect(await loginEnvironment(login)).toMatchObject({ USER: 'ada' })
  } finally {
    process.kill(Number(readFileSync(join(home, 'pid'), 'utf8')), 'SIGKILL')
  }
})

test('loginEnvironment() kills a shell that takes too long with its children', async () => {
  const login = loginWith('sleep 1000 & echo $! > pid; wait', { limitMs: 1000 })
  await expect(loginEnvironment(login)).rejects.toThrow('it took longer than 1000 ms')
  const child = Number(readFileSync(join(home, 'pid'), 'utf8'))
  await expect.poll(() => startTimeOf(child) === null || isZombie(child)).toBe(true)
})

function isZombie(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') === true
}

test.each([
  ['is no program', () => ({ user: 'ada', shell: join(home, 'gone'), home }), 'ENOENT'],
  ['lets nobody in', () => loginWith('echo This account is closed; exit 1'), 'it ended with 1'],
])('loginEnvironment() rejects when the shell %s', async (_, login, reason) => {
  await expect(loginEnvironment(login())).rejects.toThrow(reason)
})

test('loginEnvironment() works where the home directory is missing', async () => {
  mkdirSync(join(home, 'x'))
  expect(await loginEnvironment({ user: 'ada', shell: '', home: join(home, 'gone') })).toMatchObject({ USER: 'ada' })
})
