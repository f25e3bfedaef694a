// What outlives the daemon and the keeper, a reboot and an upgrade; what comes back, and what is said about it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProjectStatus, RegistryEntry, RegistryList, ServiceSnapshot } from '@locald/protocol'
import { expect, test } from 'vitest'
import { daemonPid, isRunning, keeperPid } from '../chaos/processes.ts'
import { startCli } from '../support/cli.ts'
import { createHarness } from '../support/harness.ts'
import { installCopy } from '../support/installed-copy.ts'
import type { Harness, Project } from '../support/harness.ts'

const two = `[services.web]
type = "worker"
command = "echo up; exec sleep 10000"
[services.api]
type = "worker"
command = "exec sleep 10000"
tty = false
depends_on = ["web"]
`

async function until<T>(ask: () => T | null | undefined | false): Promise<T> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    if (Date.now() > deadline) throw new Error(`Never: ${ask.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function pidsOf(status: ProjectStatus): Readonly<Record<string, number | null>> {
  return Object.fromEntries(status.services.map(({ name, pid }) => [name, pid]))
}

/** Kills so many daemons in a row. */
async function killDaemons({ home }: Harness, count: number): Promise<void> {
  const keeper = keeperPid(home)
  let last: number | null = null
  for (let killed = 0; killed < count; killed += 1) {
    const pid: number = await until(() => {
      const found = daemonPid(keeper)
      return found !== last && found
    })
    process.kill(pid, 'SIGKILL')
    await until(() => daemonPid(keeper) !== pid)
    last = pid
  }
}

/** Ends everything without anybody noticing, as a power failure does, and makes what is left look like an earlier boot's. */
async function pullThePlug({ home }: Harness, projects: readonly Project[]): Promise<void> {
  const services = (await Promise.all(projects.map((project) => project.status()))).flatMap((s) => s.services)
  const keeper = keeperPid(home)
  const daemon = await until(() => daemonPid(keeper))
  for (const pid of [daemon, keeper]) process.kill(pid, 'SIGSTOP')
  for (const { pid } of services) if (pid !== null) process.kill(pid, 'SIGKILL')
  for (const pid of [keeper, daemon]) process.kill(pid, 'SIGKILL')
  await until(() => ![keeper, daemon].some(isRunning))
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const journal = join(home, 'state/journal')
  for (const file of [join(home, 'state/runs.jsonl'), ...readdirSync(journal).map((name) => join(journal, name))]) {
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(boot, 'an-earlier-boot'))
  }
}

test('a fifth crash of the daemon within a minute: commands say so with exit code 3, services run on, and it is started again on request', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two })
  await project.up()
  const before = pidsOf(await project.status())
  await killDaemons(harness, 5)
  await until(() => existsSync(join(harness.home, 'state/crash-loop.json')))
  for (const args of [['status'], ['up'], ['logs'], ['server', 'status']]) {
    const { code, stderr } = await project.locald(...args)
    expect({ args, code }).toEqual({ args, code: 3 })
    expect(stderr).toContain('ended too often')
    expect(stderr).toContain('server start --fresh')
  }
  for (const pid of Object.values(before)) expect(isRunning(pid ?? 0)).toBe(true)
  expect((await harness.locald(['server', 'start'])).code).toBe(0)
  expect(pidsOf(await project.status())).toEqual(before)
})

test('`server start --fresh` sets the journal aside and adopts what runs', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${two}[services.http]\ncommand = "exec python3 -m http.server --bind 127.0.0.1 $PORT"\n`,
  })
  await project.up()
  await project.locald('restart', 'web')
  const before = await project.status()
  await killDaemons(harness, 5)
  await until(() => existsSync(join(harness.home, 'state/crash-loop.json')))
  expect((await harness.locald(['server', 'start', '--fresh'])).code).toBe(0)
  await project.waitFor('http', ({ health }) => health.status === 'healthy')
  await project.waitFor('api', ({ health }) => health.status === 'healthy')
  const after = await project.status()
  expect(pidsOf(after)).toEqual(pidsOf(before))
  const seen = ({ name, port, run, restarts }: ServiceSnapshot): unknown => ({ name, port, run, restarts })
  expect(after.services.map(seen)).toEqual(before.services.map(seen))
  expect(after.warnings).toEqual([expect.stringContaining('adopted: ')])
  expect(readdirSync(join(harness.home, 'state')).filter((name) => name.startsWith('journal.aside-'))).toHaveLength(1)
  // They are its own in every way: nothing is started twice, and a stop ends them.
  await project.up()
  expect(pidsOf(await project.status())).toEqual(pidsOf(before))
  expect((await project.locald('stop')).code).toBe(0)
  for (const pid of Object.values(pidsOf(before))) expect(isRunning(pid ?? 0)).toBe(false)
})

test('after `server stop` without a daemon nothing comes back', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two })
  await project.up()
  await killDaemons(harness, 5)
  await until(() => existsSync(join(harness.home, 'state/crash-loop.json')))
  const stopped = await harness.locald(['server', 'stop'])
  expect(stopped.stderr).toContain('its keeper stops the services')
  expect(stopped.code).toBe(0)
  expect((await harness.locald(['server', 'start'])).code).toBe(0)
  expect((await project.status()).services.map(({ state }) => state)).toEqual(['stopped', 'stopped'])
})

test('keeper and daemon killed: the next command ends what is left, names it, and brings everything back', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${two}[services.deaf]
type = "worker"
command = "trap '' HUP TERM; echo deaf; while :; do sleep 1; done"
tty = false
stop_timeout = "300ms"
[services.crashed]
type = "worker"
command = "exit 3"
restart = "never"
[services.stopped]
type = "worker"
command = "exec sleep 10000"
`,
  })
  await project.locald('up')
  await project.locald('stop', 'stopped')
  const before = await project.status()
  const deaf = before.services.find(({ name }) => name === 'deaf')?.pid ?? 0
  const keeper = keeperPid(harness.home)
  process.kill(await until(() => daemonPid(keeper)), 'SIGKILL')
  process.kill(keeper, 'SIGKILL')
  await until(() => !isRunning(keeper))
  expect(isRunning(deaf), 'what is to be ended was still there').toBe(true)
  expect((await harness.locald(['server', 'start'])).code).toBe(0)
  const healthy = ({ health }: ServiceSnapshot): boolean => health.status === 'healthy'
  for (const name of ['web', 'api', 'deaf']) {
    const service = await project.waitFor(name, (s) => healthy(s) && s.run === 2)
    expect(service.restarts).toBe(0)
  }
  expect(isRunning(deaf)).toBe(false)
  const after = await project.status()
  expect(after.warnings).toEqual([expect.stringMatching(new RegExp(`keeper was lost.*deaf \\(${deaf} `))])
  const states = Object.fromEntries(after.services.map(({ name, state, run }) => [name, `${state} ${run}`]))
  expect(states).toMatchObject({ crashed: 'failed 1', stopped: 'stopped 1' })
  // The next `up` shows it for the last time but one.
  expect((await project.locald('up')).stderr).toContain('The keeper was lost')
  await project.locald('up')
  expect((await project.status()).warnings).toEqual([])
  expect(await project.lines('deaf', '--run', '2')).toEqual(['deaf'])
})

test('keepers lost one after the other, each as soon as it is there, are replaced without a command', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two })
  await project.up()
  const before = pidsOf(await project.status())
  for (let lost = 1; lost <= 3; lost += 1) {
    const keeper = keeperPid(harness.home)
    process.kill(keeper, 'SIGKILL')
    await until(() => {
      const next = keeperPid(harness.home)
      return next !== keeper && isRunning(next) && daemonPid(next)
    })
  }
  await project.waitFor('api', ({ state, run }) => state === 'running' && run > 1)
  for (const pid of Object.values(before)) expect(isRunning(pid ?? 0)).toBe(false)
})

test('after a reboot pinned projects come back in the background, and nothing else does', async () => {
  await using harness = createHarness()
  const slow = two
    .replace('echo up; exec', 'sleep 1; exec')
    .replace('[services.api]', 'health_check = "test -e ok"\n[services.api]')
  const pinned = harness.project({ 'locald.toml': slow, ok: '' }, 'pinned')
  const other = harness.project({ 'locald.toml': two }, 'other')
  await pinned.up()
  await other.up()
  const entry = (await pinned.locald('registry', 'pin', '--json')).json<RegistryEntry>()
  expect(entry).toMatchObject({ project: 'pinned', pinned: true, running: true })
  rmSync(join(pinned.directory, 'ok'))
  await pullThePlug(harness, [pinned, other])

  expect((await harness.locald(['server', 'start'])).code).toBe(0)
  // Answered while the service that everything waits for is not even healthy.
  const now = await pinned.status()
  expect(now.services.map(({ state }) => state)).toEqual(['starting', 'waiting'])
  expect((await other.status()).services.map(({ state }) => state)).toEqual(['stopped', 'stopped'])
  await other.up()
  pinned.write('ok', '')
  const api = await pinned.waitFor('api', ({ health }) => health.status === 'healthy')
  expect(api).toMatchObject({ run: 2, restarts: 0 })
})

test('registry lists, unpins by name and forgets what is gone', async () => {
  await using harness = createHarness()
  const shop = harness.project({ 'locald.toml': two }, 'shop')
  const gone = harness.project({ 'locald.toml': two }, 'gone')
  await gone.up()
  await gone.locald('stop')
  const list = async (): Promise<readonly RegistryEntry[]> =>
    (await harness.locald(['registry', 'list', '--json'])).json<RegistryList>().projects
  expect(await list()).toMatchObject([{ project: 'gone', pinned: false, running: false, missing: false }])
  expect((await shop.locald('registry', 'pin')).stderr).toContain('"shop" is pinned')
  expect(await list()).toMatchObject([{ project: 'gone' }, { project: 'shop', pinned: true, up_at: null }])
  expect((await harness.locald(['registry', 'unpin', 'shop'])).code).toBe(0)
  const nobody = await harness.locald(['registry', 'pin', 'nobody'])
  expect(nobody.code).toBe(4)
  expect(nobody.stderr).toContain('There is no project "nobody"')

  const [entry] = await list()
  expect(existsSync(join(harness.home, 'state/logs', entry?.id ?? ''))).toBe(true)
  rmSync(join(gone.directory, 'locald.toml'))
  expect((await harness.locald(['registry', 'list'])).stdout).toMatch(/gone +missing +no/u)
  const removed = (await harness.locald(['registry', 'clean', '--json'])).json<RegistryList>().projects
  expect(removed).toMatchObject([{ project: 'gone', missing: true }])
  expect(await list()).toMatchObject([{ project: 'shop', pinned: false }])
  expect(existsSync(join(harness.home, 'state/logs', entry?.id ?? ''))).toBe(false)
})

test.each([
  ['the journal', 'journal/snapshot.json', '{"format":1,"seq":'],
  ['the entries of the journal', 'journal/entries.jsonl', 'rubbish\n'],
  ['the list of what runs', 'runs.jsonl', 'rubbish\nmore\n'],
])('%s damaged: it is set aside, and what ran goes on or comes back', async (_, file, text) => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two })
  await project.up()
  const before = pidsOf(await project.status())
  const path = join(harness.home, 'state', file)
  mkdirSync(join(path, '..'), { recursive: true })
  const keeper = keeperPid(harness.home)
  if (file === 'runs.jsonl') {
    // Only the next keeper reads it; this one is told to go with everything.
    writeFileSync(path, text)
    await harness.locald(['server', 'stop'])
    await project.up()
  } else {
    const daemon = await until(() => daemonPid(keeper))
    process.kill(daemon, 'SIGSTOP')
    writeFileSync(path, text)
    process.kill(daemon, 'SIGKILL')
    await project.waitFor('api', ({ health }) => health.status === 'healthy')
    expect(pidsOf(await project.status())).toEqual(before)
  }
  const { warnings } = await harness.serverStatus()
  expect(warnings).toEqual([expect.stringContaining('damaged')])
  const directory = join(path, '..')
  expect(readdirSync(directory).filter((name) => name.includes('.damaged-'))).toHaveLength(1)
})

test('a newer installation replaces the daemon under running services, and an older one does not put its own back', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two })
  await project.up()
  const before = pidsOf(await project.status())
  const newer = join(harness.home, '../newer')
  const command = installCopy(newer)
  const own = (JSON.parse(readFileSync(join(newer, 'package.json'), 'utf8')) as { version: string }).version
  for (const program of ['cli', 'daemon', 'keeper']) {
    const path = join(newer, `dist/${program}.cjs`)
    const text = readFileSync(path, 'utf8')
    const quoted = new RegExp(`(["'\`])${own.replaceAll('.', '\\.')}\\1`, 'gu')
    expect(text.search(quoted), `the version in ${program}`).toBeGreaterThan(-1)
    writeFileSync(path, text.replaceAll(quoted, '"99.0.0"'))
  }
  const restart = startCli(['server', 'restart'], {
    cwd: project.directory,
    env: harness.env,
    command,
  })
  expect((await restart.ended).code).toBe(0)
  expect((await harness.serverStatus()).daemon?.version).toBe('99.0.0')
  expect(pidsOf(await project.status())).toEqual(before)
  const { code, stderr } = await harness.locald(['server', 'restart'])
  expect(code).toBe(0)
  expect(stderr).toContain('version 99.0.0')
  expect((await harness.serverStatus()).daemon?.version).toBe('99.0.0')
  expect(pidsOf(await project.status())).toEqual(before)
})

test('an exit that no daemon could see is known with its own code and time', async () => {
  await using harness = createHarness()
  const leave = 'until test -e leave; do sleep 0.02; done; date +%s%3N >left; exit 7'
  const project = harness.project({
    'locald.toml': `[services.web]\ntype = "worker"\nrestart = "never"\ncommand = "${leave}"\n`,
  })
  await project.up()
  const daemon = await until(() => daemonPid(keeperPid(harness.home)))
  process.kill(daemon, 'SIGSTOP')
  project.write('leave', '')
  const left = await until(() => {
    const written = existsSync(join(project.directory, 'left')) ? project.read('left').trim() : ''
    return written === '' ? null : Number(written)
  })
  await until(() => Date.now() > left + 2500)
  process.kill(daemon, 'SIGKILL')
  const { state, exit } = await project.waitFor('web', (service) => service.exit !== null)
  expect([state, exit?.code]).toEqual(['failed', 7])
  expect(Date.parse(exit?.at ?? '')).toBeGreaterThanOrEqual(left)
  expect(Date.parse(exit?.at ?? '')).toBeLessThan(left + 2000)
})

test('a foreground `start` goes on under the next daemon, and ends when its client does', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': two.replace('echo up', 'echo first; sleep 1; echo second') })
  const start = project.start('start')
  await start.waitForOutput(/first/u)
  await killDaemons(harness, 1)
  await start.waitForOutput(/second/u)
  await project.waitFor('web', ({ state }) => state === 'running')
  const { pid } = await project.service('web')
  start.signal('SIGINT')
  const { code, stdout } = await start.ended
  expect(code).toBe(130)
  expect(stdout.match(/first/gu)).toHaveLength(1)
  expect(isRunning(pid ?? 0)).toBe(false)
})
