// Services that speak over their notify socket: the examples, real daemons, and those who should not be believed.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ServiceSnapshot, WhyAnswer } from '@locald/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Project } from '../support/harness.ts'

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0

/** A Python program with `say(message)` for its socket. */
const python = (body: string): string => `
import os, signal, socket, sys, time
def say(message, address=os.environ["NOTIFY_SOCKET"]):
    if address[0] == "@": address = "\\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.sendall(message.encode())
${body}
`

const isHealthy = ({ health }: ServiceSnapshot): boolean => health.status === 'healthy'

async function why(project: Project, service: string): Promise<WhyAnswer> {
  return (await project.locald('why', service, '--json')).json<WhyAnswer>()
}

async function addressOf(project: Project, service: string): Promise<string> {
  const { stdout } = await project.locald('env', service)
  return /^NOTIFY_SOCKET=(.*)$/mu.exec(stdout)?.[1] ?? ''
}

test.runIf(isLinux && has('systemd-notify'))(
  'examples/notify-test: shell, Python and Node say when they are ready',
  async () => {
    await using harness = createHarness()
    const project = harness.example('notify-test')
    await harness.locald(['server', 'start'])
    await using watch = harness.watch()
    await project.up()
    const { services } = await project.status()
    expect(services.map(({ name, health }) => [name, health.source, health.message])).toEqual([
      ['shell', 'notify', 'Sent READY=1; it says "at your service"'],
      ['python', 'notify', 'Sent READY=1; it says "loaded"'],
      ['node', 'notify', 'Sent READY=1; it says "warm"'],
      ['client', 'notify', 'Sent READY=1'],
    ])
    expect(await project.lines('client')).toEqual(['the first answer was 200 warm'])
    expect((await project.service('shell')).ready_after_ms).toBeGreaterThanOrEqual(200)
    expect((await project.service('node')).ready_after_ms).toBeGreaterThanOrEqual(300)

    // The dependent is started by the last READY=1, not by a poll.
    const healthyAt = watch.events.findLast((e) => e.type === 'service.healthy' && e.service !== 'client')?.at ?? ''
    const spawnedAt = watch.events.find((e) => e.type === 'service.spawned' && e.service === 'client')?.at ?? ''
    expect(Date.parse(spawnedAt) - Date.parse(healthyAt)).toBeLessThan(60)

    const answer = await why(project, 'python')
    const [report] = answer.notify ?? []
    expect(report).toMatchObject({ ready: true, status: 'loaded', refused: 0 })
    expect(report?.messages.at(-1)).toMatchObject({ accepted: true, verdict: 'member', uid: process.getuid?.() })
    expect(report?.main_pid).toBe((await project.service('python')).pid)
    expect((await project.locald('why', 'python')).stdout).toContain('READY=1 STATUS=loaded MAINPID=')

    expect((await project.locald('stop')).code).toBe(0)
    expect((await why(project, 'python')).notify?.[0]).toMatchObject({ phase: 'stopping', status: 'closing' })
  },
)

test.runIf(isLinux)(
  'examples/watchdog-test: who gives no sign of life is unhealthy, and restarted by policy',
  async () => {
    await using harness = createHarness()
    const project = harness.example('watchdog-test')
    await harness.locald(['server', 'start'])
    await using watch = harness.watch()
    await project.up()
    const seen = (service: string): string =>
      watch.events
        .flatMap((e) => (e.type.startsWith('service.') && 'service' in e && e.service === service ? [e.type] : []))
        .filter((type) => /healthy|backoff/u.test(type))
        .map((type) => type.slice('service.'.length))
        .join(' ')
    await watch.waitFor(() => (seen('worker') === 'healthy unhealthy backoff healthy' ? true : undefined))
    await watch.waitFor(() => (seen('sleepy') === 'healthy unhealthy healthy' ? true : undefined))
    const backoff = watch.events.find((e) => e.type === 'service.backoff')
    expect(backoff).toMatchObject({ service: 'worker', snapshot: { reason: 'missed its watchdog' } })
    const stalled = watch.events.find((e) => e.type === 'service.unhealthy' && e.service === 'sleepy')
    expect(stalled).toMatchObject({
      snapshot: {
        health: { source: 'notify', message: 'Missed its watchdog: no WATCHDOG=1 for 1 s; it says "working"' },
      },
    })
    expect(await project.service('sleepy')).toMatchObject({ restarts: 0, run: 1 })
    expect(await project.service('worker')).toMatchObject({ restarts: 1, run: 2 })
  },
)

test.runIf(isLinux)('a process of the same user, alive and outside of the tree, makes nothing healthy', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.victim]
command = "sleep 1000"
health_check = { type = "notify" }
start_timeout = "1s"
[services.after]
command = "sleep 1000"
depends_on = ["victim"]
`,
  })
  await project.locald('up', '--no-wait')
  await project.waitFor('victim', ({ pid }) => pid !== null)
  const attack = python('say("READY=1\\nSTATUS=owned")\nprint("sent", flush=True)\nsys.stdin.readline()')
  const attacker = spawn('python3', ['-c', attack], {
    env: { ...process.env, NOTIFY_SOCKET: await addressOf(project, 'victim') },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void attacker.kill('SIGKILL'))
  const [line] = await once(createInterface(attacker.stdout), 'line')
  expect(line).toBe('sent')

  // Refused while it is waited for, and when nothing more is waited for.
  const refusal = await project.waitFor('victim', ({ health }) => health.message?.includes('refused') ?? false)
  expect(refusal).toMatchObject({ state: 'starting', ready_after_ms: null, health: { source: 'notify' } })
  const late = await project.waitFor('victim', ({ health }) => health.status === 'unhealthy')
  expect(late.state).toBe('starting')
  expect((await project.service('after')).state).toBe('waiting')
  const answer = await why(project, 'victim')
  expect(answer.summary).toContain('it is not one of its processes')
  expect(answer.notify?.[0]).toMatchObject({
    ready: false,
    status: null,
    refused: 1,
    messages: [{ pid: attacker.pid, accepted: false, verdict: 'outside', text: 'READY=1 STATUS=owned' }],
  })
  const { stdout } = await project.locald('why', 'victim')
  expect(stdout).toMatch(new RegExp(`refused READY=1 STATUS=owned of pid ${attacker.pid}`, 'u'))
})

test.runIf(isLinux)("Node's own datagram sender is heard, from a grandchild too", async () => {
  await using harness = createHarness()
  const koffi = fileURLToPath(new URL('../../node_modules/koffi', import.meta.url))
  const project = harness.project({
    'send.cjs': `
const koffi = require(${JSON.stringify(koffi)})
const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)')
const connect = libc.func('int connect(int, const void *, unsigned int)')
const send = libc.func('long send(int, const void *, unsigned long, int)')
const name = Buffer.from('\\0' + process.env.NOTIFY_SOCKET.slice(1))
const address = Buffer.concat([Buffer.from([1, 0]), name])
const fd = socket(1, 2, 0)
if (connect(fd, address, address.length) !== 0) throw new Error('connect')
const message = Buffer.from('READY=1\\nSTATUS=from ' + process.argv[2])
if (Number(send(fd, message, message.length, 0)) !== message.length) throw new Error('send')
setInterval(() => {}, 1e6)
`,
    'locald.toml': `
[services.direct]
command = "exec node send.cjs direct"
health_check = { type = "notify" }
[services.deep]
command = "sh -c 'sh -c \\"setsid node send.cjs deep; true\\"; true'"
health_check = { type = "notify" }
`,
  })
  await project.up()
  expect((await project.service('direct')).health.message).toBe('Sent READY=1; it says "from direct"')
  expect((await project.service('deep')).health.message).toBe('Sent READY=1; it says "from deep"')
})

test.runIf(isLinux && isRoot && has('setpriv'))(
  'a sender of another user is believed as long as it is of the tree',
  async () => {
    await using harness = createHarness()
    const as = 'setpriv --reuid 65534 --regid 65534 --clear-groups'
    const project = harness.project({
      'locald.toml': `
[services.dropped]
command = "${as} sh -c 'systemd-notify --ready; sleep 1000'"
health_check = { type = "notify" }
[services.gone]
command = "${as} sh -c 'systemd-notify --no-block --ready; sleep 1000'"
health_check = { type = "notify" }
`,
    })
    await project.up()
    const messages = async (name: string): Promise<unknown> => (await why(project, name)).notify?.[0]?.messages
    expect(await messages('dropped')).toMatchObject([{ uid: 65534, verdict: 'member' }])
    // It was there or it was not: both count, and are told apart.
    expect(await messages('gone')).toMatchObject([
      { uid: 65534, accepted: true, verdict: expect.stringMatching(/^(?:member|exited)$/u) },
    ])
  },
)

const daemons: readonly (readonly [name: string, program: string, command: string, files?: Record<string, string>])[] =
  [
    ['redis', 'redis-server', `redis-server --supervised systemd --port $PORT --save ''`],
    ['redis with exec', 'redis-server', `exec redis-server --supervised systemd --port $PORT --save ''`],
    ['mosquitto', 'mosquitto', 'mosquitto -p $PORT'],
    [
      'haproxy',
      'haproxy',
      'haproxy -Ws -f haproxy.cfg',
      {
        'haproxy.cfg': `
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend web
  bind 127.0.0.1:"\${PORT}"
  http-request return status 200
`,
      },
    ],
  ]

test.for(daemons)(
  '%s says when it is ready, and stops as a whole',
  async ([, program, command, files = {}], { skip }) => {
    skip(!isLinux || !has(program), `${program} is not installed`)
    await using harness = createHarness()
    const project = harness.project({
      ...files,
      'locald.toml': `
[services.it]
type = "exec"
command = ${JSON.stringify(command)}
health_check = { type = "notify" }
[services.inferred]
type = "exec"
command = ${JSON.stringify(command)}
`,
    })
    await project.up()
    for (const name of ['it', 'inferred']) {
      const service = await project.service(name)
      expect(service).toMatchObject({ state: 'running', health: { status: 'healthy', source: 'notify' } })
      const messages = (await why(project, name)).notify?.[0]?.messages ?? []
      expect(messages.length).toBeGreaterThan(0)
      expect(messages.every(({ verdict }) => verdict === 'member')).toBe(true)
    }
    expect((await project.locald('stop')).code).toBe(0)
  },
)

test.runIf(isLinux && has('systemd-notify'))('READY=1 that is sent while no daemon runs is not lost', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.slow]
command = "while [ ! -e go ]; do sleep 0.02; done; systemd-notify --ready --status=done; touch sent; sleep 1000"
health_check = { type = "notify" }
[services.after]
command = "sleep 1000"
depends_on = ["slow"]
`,
  })
  await project.locald('up', '--no-wait')
  await project.waitFor('slow', ({ pid }) => pid !== null)
  const { daemon } = await harness.serverStatus()
  if (daemon === null) throw new Error('No daemon')
  process.kill(daemon.pid, 'SIGSTOP')
  writeFileSync(join(project.directory, 'go'), '')
  // systemd-notify has ended: its barrier was answered without a daemon.
  const answered = spawnSync('sh', ['-c', 'for i in $(seq 300); do [ -e sent ] && exit 0; sleep 0.01; done; exit 1'], {
    cwd: project.directory,
  })
  expect(answered.status).toBe(0)
  process.kill(daemon.pid, 'SIGKILL')
  const slow = await project.waitFor('slow', isHealthy)
  expect(slow).toMatchObject({
    run: 1,
    restarts: 0,
    health: { source: 'notify', message: 'Sent READY=1; it says "done"' },
  })
  await project.waitFor('after', isHealthy)
  expect((await harness.serverStatus()).daemon?.pid).not.toBe(daemon.pid)
})

test.runIf(isLinux)('what was said is still known to the next daemon', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.web]
type = "exec"
command = "exec python3 web.py"
`,
    'web.py': python(`
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
say("READY=1\\nSTATUS=open")
signal.pause()`),
  })
  await project.up()
  await project.waitFor('web', ({ health }) => health.source === 'notify')
  const { daemon } = await harness.serverStatus()
  if (daemon === null) throw new Error('No daemon')
  process.kill(daemon.pid, 'SIGKILL')
  await project.waitFor('web', isHealthy)
  const after = await project.service('web')
  expect(after.health).toEqual({ status: 'healthy', source: 'notify', message: 'Sent READY=1; it says "open"' })
})

test.runIf(isLinux)('a service that is adopted without a journal is ready when it said so before', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.early]
command = "exec python3 early.py"
health_check = { type = "notify" }
`,
    'early.py': python('say("READY=1\\nSTATUS=long ago")\nsignal.pause()'),
  })
  await project.up()
  const { pid } = await project.service('early')
  const noted = join(harness.home, 'state/crash-loop.json')
  for (let last = 0; !existsSync(noted);) {
    const { daemon } = await harness.serverStatus().catch(() => ({ daemon: null }))
    if (daemon !== null && daemon.pid !== last) process.kill((last = daemon.pid), 'SIGKILL')
  }
  expect((await harness.locald(['server', 'start', '--fresh'])).code).toBe(0)
  const early = await project.waitFor('early', isHealthy)
  expect(early).toMatchObject({ pid, health: { source: 'notify', message: 'Sent READY=1; it says "long ago"' } })
})

test.runIf(isLinux)('EXTEND_TIMEOUT_USEC gives more time to start and to stop', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.patient]
command = "exec python3 patient.py"
health_check = { type = "notify" }
start_timeout = "2s"
stop_timeout = "1s"
`,
    'patient.py': python(`
def stop(*_):
    for n in range(4):
        say("EXTEND_TIMEOUT_USEC=3000000\\nSTATUS=tidying up")
        time.sleep(0.4)
    open("tidy", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
for n in range(5):
    say("EXTEND_TIMEOUT_USEC=3000000\\nSTATUS=step %d" % n)
    time.sleep(0.5)
say("READY=1")
while True: signal.pause()`),
  })
  await harness.locald(['server', 'start'])
  await using watch = harness.watch()
  await project.up()
  expect(watch.events.some(({ type }) => type === 'service.unhealthy')).toBe(false)
  expect((await project.service('patient')).ready_after_ms).toBeGreaterThan(2000)
  expect((await project.locald('stop')).code).toBe(0)
  expect(existsSync(join(project.directory, 'tidy'))).toBe(true)
  expect((await project.service('patient')).exit).toMatchObject({ code: 0, signal: null })
})

test.runIf(isLinux)('a reload, an errno and a stop of its own accord are shown', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `
[services.moody]
command = "exec python3 moody.py"
health_check = { type = "notify" }
restart = "never"
`,
    'moody.py': python(`
import pathlib
def wait(name):
    while not pathlib.Path(name).exists(): time.sleep(0.02)
say("RELOADING=1\\nMONOTONIC_USEC=1")
say("READY=1")
wait("reload")
say("RELOADING=1\\nSTATUS=reading")
wait("reloaded")
say("READY=1\\nSTATUS=")
wait("stop")
say("STOPPING=1\\nERRNO=28\\nSTATUS=disk full")
wait("exit")
sys.exit(7)`),
  })
  await project.up()
  const after = async (file: string, message: string): Promise<ServiceSnapshot> => {
    project.write(file, '')
    return await project.waitFor('moody', ({ health }) => health.message === message)
  }
  expect((await after('reload', 'Sent READY=1; Reloading; it says "reading"')).health.status).toBe('healthy')
  expect((await after('reloaded', 'Sent READY=1')).health.status).toBe('healthy')
  const stopping = await after('stop', 'Is about to stop (STOPPING=1); it says "disk full"')
  expect(stopping).toMatchObject({ state: 'running', health: { status: 'unhealthy' } })
  project.write('exit', '')
  const failed = await project.waitFor('moody', ({ state }) => state === 'failed')
  expect(failed.reason).toBe('exited with code 7 (ENOSPC: no space left on device)')
})
