import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { apiSocketOf, callerOf } from './caller.ts'

test('without sudo it is this user, wherever the environment says', async () => {
  const env = { HOME: '/home/me', LOCALD_HOME: '/tmp/l', SUDO_UID: '65534' }
  expect(await callerOf(env, 1000)).toMatchObject({
    uid: 1000,
    home: '/home/me',
    installations: [{ apiSocket: '/tmp/l/run/api.sock' }],
  })
  expect(await callerOf({ HOME: '/root', SUDO_UID: '0' }, 0)).toMatchObject({ uid: 0, home: '/root' })
  expect(await callerOf({ HOME: '/root', SUDO_UID: '1; id' }, 0)).toMatchObject({ uid: 0, home: '/root' })
})

test('by sudo it is whoever called that, with a login and without', async () => {
  // Every system has a user with this id.
  const { uid, home, installations } = await callerOf({ HOME: '/root', SUDO_UID: '1' }, 0)
  expect(uid).toBe(1)
  expect(home).not.toBe('/root')
  expect(installations.map(({ apiSocket }) => apiSocket)).toEqual([
    '/run/user/1/locald/api.sock',
    join(home, '.local/state/locald/run/api.sock'),
  ])
})

test('where sudo has kept the environment, the directories of the caller are as they say', async () => {
  const { gid, home } = await callerOf({ HOME: '/root', SUDO_UID: '1' }, 0)
  expect(gid).toBe(1)
  const kept = { HOME: home, XDG_STATE_HOME: '/srv/state', SUDO_UID: '1' }
  expect((await callerOf(kept, 0)).installations[0].dnsSetup).toBe('/srv/state/locald/dns.json')
  expect((await callerOf({ ...kept, HOME: '/root' }, 0)).installations[0].dnsSetup).toBe(
    join(home, '.local/state/locald/dns.json'),
  )
})

test('a user whom the system does not know is said to be unknown', async () => {
  await expect(callerOf({ HOME: '/root', SUDO_UID: '4000000001' }, 0)).rejects.toMatchObject({ code: 'setup_failed' })
})

test('the daemon of somebody else is not asked', async () => {
  const home = mkdtempSync(join(tmpdir(), 'caller-'))
  const uid = process.getuid?.() ?? 0
  const caller = await callerOf({ HOME: '/', LOCALD_HOME: home }, uid)
  expect(await apiSocketOf(caller)).toBeNull()
  mkdirSync(join(home, 'run'))
  const server = createServer().listen(join(home, 'run/api.sock'))
  await new Promise((resolve) => server.once('listening', resolve))
  expect(await apiSocketOf(caller)).toBe(join(home, 'run/api.sock'))
  await expect(apiSocketOf({ ...caller, uid: uid + 1 })).rejects.toMatchObject({ code: 'directory_refused' })
  await new Promise((resolve) => server.close(resolve))
  rmSync(home, { recursive: true })
})
