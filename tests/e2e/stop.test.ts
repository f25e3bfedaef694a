// Stop means stopped: who is still alive is shown, what cannot be ended is named, and nothing starts any more.
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import type { CliResult } from '../support/cli.ts'
import { createHarness } from '../support/harness.ts'
import { installForOthers } from '../support/installed-copy.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { loc, openTerminal } from '../support/terminal.ts'

const deaf = `[services.deaf]
type = "worker"
command = "trap '' TERM; sleep 1000 & while :; do sleep 0.2; done"
stop_timeout = "never"
`

test('stop says who is still alive and for how long; a second Ctrl-C kills', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const { pid } = await project.service('deaf')
  const stop = project.start('stop')
  const [line] = await stop.waitForOutput(/deaf still alive after \d.*$/mu)
  expect(line).toContain(`pid ${pid} (`)
  expect(line).toContain('sleep 1000')
  stop.signal('SIGINT')
  await stop.waitForOutput(/Ctrl-C again/u)
  expect((await project.service('deaf')).state).toBe('stopping')
  stop.signal('SIGINT')
  const { code, stderr } = await stop.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/Stopped deaf in/u)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('on a terminal, the processes stand beside the service that is being stopped', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const { pid } = await project.service('deaf')
  await using terminal = openTerminal(`trap : INT; ${loc} stop; echo "code $?"`, {
    cwd: project.directory,
    env: harness.env,
    cols: 150,
  })
  await terminal.waitFor(new RegExp(`deaf {2}stopping {2}\\d\\S* {2}pid ${pid} \\(`, 'u'))
  terminal.type('\x03')
  await terminal.waitFor('Ctrl-C again')
  terminal.type('\x03')
  await terminal.waitFor('code 0')
})

test('`stop --now` does not ask', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const asked = performance.now()
  expect((await project.locald('stop', '--now')).code).toBe(0)
  expect(performance.now() - asked).toBeLessThan(5000)
  expect((await project.service('deaf')).exit).toMatchObject({ signal: 'SIGKILL' })
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('`server stop` says who is still alive, too', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const { pid } = await project.service('deaf')
  const stop = project.start('server', 'stop')
  const [line] = await stop.waitForOutput(/deaf still alive after \d.*$/mu)
  expect(line).toContain(`pid ${pid} (`)
  process.kill(-(pid ?? 0), 'SIGKILL')
  expect((await stop.ended).code).toBe(0)
})

test('`server stop` tells projects of one name apart, with one line for each change', async () => {
  await using harness = createHarness()
  const toml = '[project]\nname = "twin"\n[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\n'
  const twins = [harness.project({ 'locald.toml': toml }), harness.project({ 'locald.toml': toml })]
  for (const twin of twins) await twin.up()
  const { code, stderr } = await harness.locald(['server', 'stop'])
  expect(code).toBe(0)
  const lines = stderr.split('\n').filter((line) => line.startsWith('twin'))
  const changes = twins.flatMap(({ directory }) => ['stopping', 'stopped'].map((is) => `twin (${directory}) web ${is}`))
  expect(lines.toSorted()).toEqual(changes.toSorted())
})

test('a second Ctrl-C hurries `server stop`', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const stop = project.start('server', 'stop')
  await stop.waitForOutput(/deaf stopping/u)
  stop.signal('SIGINT')
  await stop.waitForOutput(/Ctrl-C again/u)
  expect((await project.service('deaf')).state).toBe('stopping')
  stop.signal('SIGINT')
  const { code, stderr } = await stop.ended
  expect(stderr).toContain('Stopped the daemon')
  expect(code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test.each([
  ['server', 'stop', '--now'],
  ['stop', '--now'],
])('while `server stop` waits, `%s %s` from elsewhere hurries it', async (...line) => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const waiting = project.start('server', 'stop')
  await waiting.waitForOutput(/deaf stopping/u)
  expect((await project.locald(...line)).code).toBe(0)
  expect((await waiting.ended).code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('`server stop` outlives the daemon that it asked', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const stop = project.start('server', 'stop')
  await stop.waitForOutput(/deaf stopping/u)
  process.kill((await harness.serverStatus()).daemon?.pid ?? 0, 'SIGKILL')
  expect((await project.locald('server', 'stop', '--now')).code).toBe(0)
  expect((await stop.ended).code).toBe(0)
})

test('`server stop` waits for a run that no journal knows, says who it is, and can be hurried', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.stray]
type = "worker"
command = "trap '' TERM; while :; do sleep 0.2; done"
`,
  })
  await project.up()
  const { pid } = await project.service('stray')
  // Neither journal nor configuration names it any more.
  project.remove('locald.toml')
  const daemon = (await harness.serverStatus()).daemon?.pid ?? 0
  process.kill(daemon, 'SIGSTOP')
  rmSync(join(harness.home, 'state/journal'), { recursive: true })
  process.kill(daemon, 'SIGKILL')
  const stop = harness.start(['server', 'stop'])
  const [line] = await stop.waitForOutput(/stray still alive after .*$/mu)
  expect(line).toContain(`pid ${pid} (`)
  stop.signal('SIGINT')
  await stop.waitForOutput(/Ctrl-C again/u)
  const hurriedAt = performance.now()
  stop.signal('SIGINT')
  expect((await stop.ended).code).toBe(0)
  expect(performance.now() - hurriedAt).toBeLessThan(5000)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
  const log = readFileSync(join(harness.home, 'state/keeper.log'), 'utf8')
  expect(log.match(/"level":"error"/gu), `only the daemon that was killed ended unasked: ${log}`).toHaveLength(1)
})

test('`stop --now` from elsewhere ends a stop that waits', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const waiting = project.start('stop')
  await project.waitFor('deaf', (service) => service.state === 'stopping')
  expect((await project.locald('stop', '--now')).code).toBe(0)
  expect((await waiting.ended).code).toBe(0)
})

test('a stop goes on when the daemon is killed meanwhile, and still knows who is alive', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': deaf })
  await project.up()
  const stop = project.start('stop')
  await project.waitFor('deaf', (service) => service.state === 'stopping')
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  await stop.waitForOutput(/deaf still alive after \d/u)
  expect((await project.locald('stop', '--now')).code).toBe(0)
  expect((await stop.ended).code).toBe(0)
})

test('somebody who still listens on a port of a stopped service is named, with exit code 1', async () => {
  await using harness = createHarness()
  const share = `import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(); print('listening', flush=True); time.sleep(1000)`
  const project = harness.project({
    'share.py': share,
    'locald.toml': '[services.web]\ntype = "exec"\ncommand = "exec python3 share.py $PORT"\n',
  })
  await project.up()
  const { port } = await project.service('web')
  const other = spawn('python3', [join(project.directory, 'share.py'), String(port)], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(other.stdout, 'data')
    const stop = await project.locald('stop')
    expect(stop.code).toBe(1)
    expect(stop.stderr).toContain(`listens on port ${port}`)
    expect(stop.stderr).toContain(`pid ${other.pid} (`)
    expect((await project.service('web')).state).toBe('stopped')
  } finally {
    other.kill('SIGKILL')
    await once(other, 'exit')
  }
  expect((await project.locald('stop')).code).toBe(0)
})

test('nothing starts after stop was asked: not from back-off, nor what waited for a dependency', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.crashing]
type = "worker"
command = "echo run >>runs; exit 1"
[services.db]
type = "worker"
command = "echo db >>runs; exec sleep 1000"
health_check = { command = "test -e ready", interval = "1s" }
[services.web]
type = "worker"
command = "echo web >>runs; exec sleep 1000"
depends_on = ["db"]
`,
  })
  const up = project.start('up')
  const crashing = await project.waitFor('crashing', (s) => s.state === 'backoff' && s.restarts >= 1)
  await project.waitFor('db', (service) => service.pid !== null)
  expect((await project.locald('stop')).code).toBe(0)
  const before = readFileSync(join(project.directory, 'runs'), 'utf8')
  project.write('ready', '')
  expect((await up.ended).code).toBe(1)
  const retryAt = Date.parse(crashing.retry_at ?? '')
  expect(retryAt).not.toBeNaN()
  // Until after the moment of the next start: what is asserted is that nothing happens then.
  await expect.poll(() => Date.now(), { timeout: 10_000, interval: 50 }).toBeGreaterThan(retryAt + 300)
  expect(readFileSync(join(project.directory, 'runs'), 'utf8')).toBe(before)
  expect((await project.status()).services.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
})

const canChangeUsers = process.getuid?.() === 0 && existsSync('/usr/bin/setpriv')

test.skipIf(!canChangeUsers)(
  'what cannot be ended is named with pid, command and reason, and exit code 1',
  async () => {
    // An installation of another user, with a service that gains root by a program that may.
    const directory = mkdtempSync('/tmp/h-') // the directory of the tests is closed to others
    const user = 65534
    const home = join(directory, 'l')
    const project = join(directory, 'p')
    const gain = join(directory, 'gain')
    const marked = `sleep 1${process.pid}`
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: project,
      LOCALD_HOME: home,
      LOCALD_HTTP_PORT: '0',
      LOCALD_HTTPS_PORT: '0',
      LANG: 'C.UTF-8',
    }
    const locald = (...args: readonly string[]): Promise<CliResult> =>
      startCli(args, { cwd: project, env, uid: user, command: join(directory, 'i/bin/locald.cjs') }).ended
    try {
      installForOthers(join(directory, 'i'))
      for (const path of [project, join(project, '.git'), home]) mkdirSync(path)
      const command = `${gain} --reuid 0 --regid 0 --clear-groups setsid -f ${marked}; exec sleep 1000`
      writeFileSync(
        join(project, 'locald.toml'),
        `[services.web]\ntype = "worker"\ncommand = "${command}"\nstop_timeout = "200ms"\n`,
      )
      for (const path of ['', '.git', 'locald.toml'].map((name) => join(project, name))) chownSync(path, user, user)
      chownSync(home, user, user)
      chmodSync(directory, 0o755)
      copyFileSync('/usr/bin/setpriv', gain)
      chownSync(gain, 0, user)
      chmodSync(gain, 0o4750)
      expect((await locald('up')).code).toBe(0)
      const stop = await locald('stop')
      const [pid = ''] = spawnSync('pgrep', ['-fx', marked], { encoding: 'utf8' }).stdout.trim().split('\n')
      expect(pid).toMatch(/^\d+$/u)
      expect(stop.code).toBe(1)
      expect(stop.stderr).toContain(`${pid} (${marked}): This user may not signal it`)
      // It counts as long as it is there.
      expect((await locald('stop')).code).toBe(1)
      const serverStop = await locald('server', 'stop')
      expect(serverStop.code).toBe(1)
      expect(serverStop.stderr).toContain(`${pid} (${marked}): This user may not signal it`)
      process.kill(Number(pid), 'SIGKILL')
      expect((await locald('stop')).code).toBe(0)
    } finally {
      await locald('server', 'stop')
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
