// Containers against a real engine: DOCKER_HOST, or the usual socket. Without one these tests are skipped.
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PortRow, ServiceSnapshot } from '@locald/protocol'
import { describe, expect, test } from 'vitest'
import { containersOf, docker, dockerEnv, limitsMemory, whyNoDocker } from '../support/docker.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'
import { recordEngine } from '../support/record-engine.ts'
import { startRegistry } from '../support/registry.ts'

if (whyNoDocker !== null) process.stderr.write(`Containers are not tested: ${whyNoDocker}\n`)

const image = 'image = "locald-test/busybox"'

function containerHarness(added: Readonly<Record<string, string>> = {}): Harness {
  return createHarness({ ...dockerEnv, ...added })
}

/** A project with this locald.toml. */
function projectOf(harness: Harness, toml: string): Project {
  return harness.project({ 'locald.toml': toml })
}

async function idOf(project: Project): Promise<string> {
  return (await project.status()).id
}

describe.skipIf(whyNoDocker !== null)('a container', () => {
  test('is published on loopback, sees its own environment and volumes, and leaves nothing', async () => {
    await using harness = containerHarness()
    const project = harness.project({
      'locald.toml': `[env]
SHARED = "yes"
[services.web]
${image}
command = "mkdir -p /www; env > /www/env; id -u > /www/user; pwd > /www/pwd; cp /pages/* /www; echo kept > /data/file; exec httpd -f -p 80 -h /www"
container_port = [80, 8080]
env = { GREETING = "hello world", LITERAL = "a$b" }
volumes = ["./pages:/pages:ro", "./data:/data"]
workdir = "/data"
stop_timeout = "0s"`,
      'pages/index.html': 'from the project\n',
    })
    await project.up()
    const web = await project.service('web')
    expect(web).toMatchObject({ state: 'running', health: { status: 'healthy', source: 'tcp' }, exit: null })
    expect(web.ports).toHaveLength(2)
    const get = async (path: string): Promise<string> =>
      await (await fetch(`http://127.0.0.1:${String(web.port)}${path}`)).text()
    expect(await get('/')).toBe('from the project\n')
    const variables = (await get('/env')).split('\n')
    expect(variables).toEqual(
      expect.arrayContaining([
        'SHARED=yes',
        'GREETING=hello world',
        'LITERAL=a$b',
        'PORT=80',
        'HOST=0.0.0.0',
        'PS=web.1',
      ]),
    )
    // The shell's are of this machine.
    expect(variables.filter((line) => line.startsWith('LOCALD_HOME=') || line.startsWith('TMPDIR='))).toEqual([])
    expect(await get('/pwd')).toBe('/data\n')
    expect(
      docker('port', web.container?.name ?? '')
        .split('\n')
        .sort(),
    ).toEqual([`80/tcp -> 127.0.0.1:${String(web.ports[0])}`, `8080/tcp -> 127.0.0.1:${String(web.ports[1])}`])
    const rows = (await project.locald('ports', '--json')).json<{ ports?: PortRow[] } | PortRow[]>()
    const [first] = Array.isArray(rows) ? rows : (rows.ports ?? [])
    expect(first).toMatchObject({ port: web.port, listening: true, holder: null })

    const id = await idOf(project)
    expect(containersOf(id)).toEqual([`locald-${(await project.status()).project}-web-${id.slice(0, 6)}`])
    expect((await project.locald('stop')).code).toBe(0)
    expect(containersOf(id)).toEqual([])
    await expect(get('/')).rejects.toThrow('fetch failed')
  })

  test('takes command, entrypoint and user as they are written', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.words]
type = "container"
${image}
entrypoint = ["echo", "entry"]
command = "one 'two  words' three\\\\ four"
restart = "never"
[services.shell]
${image}
command = "echo $PS && id -u"
user = "1234"
restart = "never"
[services.list]
${image}
command = ["echo", "$PS", "&&"]
restart = "never"`,
    )
    await project.locald('up', '--no-wait')
    for (const name of ['words', 'shell', 'list']) {
      const ended = await project.waitFor(name, (service) => service.state === 'completed')
      expect(ended.exit).toMatchObject({ code: 0, signal: null })
    }
    expect(await outputOf(project, 'words')).toEqual(['entry one two  words three four'])
    expect(await outputOf(project, 'shell')).toEqual(['shell.1', '1234'])
    expect(await outputOf(project, 'list')).toEqual(['$PS &&'])
  })

  test('is restarted by the policy, with the exit code of each run', async () => {
    await using harness = containerHarness()
    const project = projectOf(harness, `[services.crash]\n${image}\ncommand = "echo run; exit 3"`)
    await project.locald('up', '--no-wait')
    const failed = await project.waitFor('crash', (service) => service.state === 'failed')
    expect(failed.exit).toMatchObject({ code: 3, signal: null, reason: 'exited with code 3' })
    expect(failed.reason).toMatch(/^exited with code 3; given up after 5 crashes/u)
    expect(await outputOf(project, 'crash')).toEqual(['run', 'run', 'run', 'run', 'run'])
    expect(containersOf(await idOf(project))).toEqual([])
  })

  test('gets its stop signal, the one of the image unless the file names one, and SIGKILL after the time-out', async () => {
    await using harness = containerHarness()
    const trap = (signal: string): string =>
      `command = "trap 'echo got ${signal}; exit 7' ${signal}; echo ready; while :; do sleep 0.05; done"`
    const project = projectOf(
      harness,
      `[services.images]
${image}
${trap('USR1')}
health_check = { type = "log", pattern = "ready" }
[services.named]
${image}
${trap('INT')}
stop_signal = "SIGINT"
health_check = { type = "log", pattern = "ready" }
[services.stubborn]
${image}
command = "trap '' USR1; echo ready; while :; do sleep 0.05; done"
stop_timeout = "300ms"
health_check = { type = "log", pattern = "ready" }`,
    )
    await project.up()
    expect((await project.locald('stop')).code).toBe(0)
    expect((await outputOf(project, 'images')).at(-1)).toBe('got USR1')
    expect((await outputOf(project, 'named')).at(-1)).toBe('got INT')
    expect((await project.service('images')).exit).toMatchObject({ code: 7, signal: null })
    expect((await project.service('stubborn')).exit).toMatchObject({
      code: null,
      signal: 'SIGKILL',
      reason: 'killed by SIGKILL: it did not stop in time',
    })
  })

  test('that somebody removes counts as ended, and is started again', async () => {
    await using harness = containerHarness()
    const project = projectOf(harness, `[services.web]\n${image}\ncommand = "sleep 1000"\nstop_timeout = "0s"`)
    await project.up()
    const before = await project.service('web')
    docker('rm', '--force', before.container?.name ?? '')
    const after = await project.waitFor(
      'web',
      (service) => service.restarts === 1 && service.health.status === 'healthy',
    )
    expect(after.container?.id).not.toBe(before.container?.id)
    expect(after.exit).toMatchObject({ code: 137 })
  })

  test.skipIf(!limitsMemory())('that is killed for want of memory is reported as that', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.greedy]\n${image}\ncommand = "trap 'exec tail /dev/zero' USR2; echo ready; while :; do sleep 0.05; done"
health_check = { type = "log", pattern = "ready" }\nrestart = "never"`,
    )
    await project.up()
    const name = (await project.service('greedy')).container?.name ?? ''
    docker('update', '--memory', '16m', '--memory-swap', '16m', name)
    docker('kill', '--signal', 'USR2', name)
    const failed = await project.waitFor('greedy', (service) => service.state === 'failed')
    const reason = 'killed by SIGKILL: it was out of memory'
    expect(failed).toMatchObject({ reason, exit: { code: null, signal: 'SIGKILL', reason } })
    expect((await project.locald('status')).stdout).toContain('out of memory')
    const why = (await project.locald('why', 'greedy')).stdout
    expect(why.split('\n').slice(0, 3).join('\n')).toContain('out of memory')
    expect(why).toContain('Give it more memory')
  })

  test('is left alone by `up` when nothing changed, and replaced when its image or command did', async () => {
    await using harness = containerHarness()
    const toml = (command: string): string => `[services.web]\n${image}\ncommand = "${command}"\nstop_timeout = "0s"`
    const project = projectOf(harness, toml('sleep 1000'))
    await project.up()
    const first = await project.service('web')
    await project.up()
    expect((await project.service('web')).container).toEqual(first.container)
    project.write('locald.toml', `${toml('sleep 1000')}\nhealth_check = "true"`)
    await project.up()
    expect((await project.service('web')).container).toEqual(first.container)
    project.write('locald.toml', toml('sleep 2000'))
    await project.up()
    const second = await project.service('web')
    expect(second.container?.id).not.toBe(first.container?.id)
    expect(containersOf(await idOf(project))).toEqual([second.container?.name])
  })

  test('has its output recorded in order, byte for byte, also of a burst right before its end', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[logs]
segment_size = "100MB"
[services.burst]
${image}
command = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf 'last without end'"
restart = "never"
[services.odd]
${image}
command = "printf 'a\\\\377b\\\\n'; echo to stderr >&2"
restart = "never"
[services.long]
${image}
command = "head -c 50000 /dev/zero | tr '\\\\0' x; echo"
restart = "never"`,
    )
    await project.locald('up', '--no-wait')
    for (const name of ['burst', 'odd', 'long']) await project.waitFor(name, (service) => service.state === 'completed')
    const burst = await outputOf(project, 'burst', '-n', '100000')
    expect(burst).toHaveLength(20_001)
    expect(burst.slice(0, -1).every((line, index) => line === `line ${index}`)).toBe(true)
    expect(burst.at(-1)).toBe('last without end')
    expect(await outputOf(project, 'long')).toEqual(['x'.repeat(50_000)])
    const odd = (await project.locald('logs', 'odd', '--json')).jsonLines<{ stream: string; text: string }>()
    expect(
      odd
        .filter((line) => line.stream !== 'locald')
        .map(({ stream, text }) => `${stream} ${text}`)
        .sort(),
    ).toEqual(['stderr to stderr', 'stdout a\uFFFDb'])
  })

  test('runs on when the daemon is killed, and nothing of its output is lost or doubled', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.counter]
${image}
command = "i=0; while :; do echo out $i; echo err $i >&2; i=$((i+1)); usleep 2000; done"
stop_timeout = "0s"
[services.quitter]
${image}
command = "while ! test -e /data/quit; do sleep 0.05; done; echo bye; exit 9"
volumes = ["./data:/data"]
restart = "never"`,
    )
    await project.up()
    const before = await project.service('counter')
    for (let round = 0; round < 3; round++) {
      const { daemon } = await harness.serverStatus()
      const since = (await outputOf(project, 'counter', '-n', '1')).length
      expect(since).toBe(1)
      process.kill(daemon?.pid ?? 0, 'SIGKILL')
      // It ends while nobody is there, or while the next one comes up.
      if (round === 1) project.write('data/quit', '')
      await sleep(round * 100)
    }
    const after = await project.service('counter')
    expect(after).toMatchObject({ state: 'running', container: before.container, run: 1, restarts: 0 })
    const quitter = await project.waitFor('quitter', (service) => service.state === 'failed')
    expect(quitter.exit).toMatchObject({ code: 9, reason: 'exited with code 9' })
    expect(await outputOf(project, 'quitter')).toEqual(['bye'])
    await project.locald('stop')
    const lines = await outputOf(project, 'counter', '-n', '1000000')
    for (const stream of ['out', 'err']) {
      const numbers = lines.filter((line) => line.startsWith(stream)).map((line) => Number(line.slice(4)))
      expect(numbers.length).toBeGreaterThan(50)
      expect(numbers).toEqual(numbers.map((_, index) => index))
    }
    expect(containersOf(await idOf(project))).toEqual([])
  })

  test('is adopted when the journal is lost, if its project is still there', async () => {
    await using harness = containerHarness()
    const toml = `[services.web]\n${image}\ncommand = "echo once; sleep 1000"\nstop_timeout = "0s"`
    const kept = projectOf(harness, toml)
    await kept.up()
    const gone = projectOf(harness, toml)
    await gone.up()
    const published = 'container_port = 80\nport = 41987\nhealth_check = { type = "log", pattern = "." }'
    const changed = projectOf(harness, `${toml}\n${published}`)
    await changed.up()
    const { container } = await kept.service('web')
    const id = await idOf(gone)
    rmSync(join(gone.directory, 'locald.toml'))
    changed.write('locald.toml', `${toml.replace('once', 'anew')}\n${published}`)
    rmSync(join(harness.home, 'state/journal'), { recursive: true })
    const { daemon } = await harness.serverStatus()
    process.kill(daemon?.pid ?? 0, 'SIGKILL')
    const web = await kept.waitFor('web', (service) => service.health.status === 'healthy')
    expect(web).toMatchObject({ state: 'running', container, run: 1 })
    expect((await kept.status()).warnings.join()).toMatch(/were adopted: web/u)
    expect(await outputOf(kept, 'web')).toEqual(['once'])
    const anew = await changed.waitFor('web', ({ health, run }) => run === 2 && health.status === 'healthy')
    expect(anew.port).toBe(41987)
    expect(await outputOf(changed, 'web')).toEqual(['once', 'anew'])
    expect((await changed.status()).warnings.join()).toMatch(/they are started anew: web/u)
    while (containersOf(id).length > 0) await sleep(50)
  })

  test('that no run owns is removed', async () => {
    await using harness = containerHarness()
    const project = projectOf(harness, `[services.web]\n${image}\ncommand = "sleep 1000"\nstop_timeout = "0s"`)
    await project.up()
    const { container } = await project.service('web')
    const labels = JSON.parse(
      docker('inspect', '--format', '{{json .Config.Labels}}', container?.name ?? ''),
    ) as Record<string, string>
    const kept = { ...labels, 'locald.run': 'of-a-daemon-that-forgot' }
    const flags = Object.entries(kept).flatMap(([name, value]) => ['--label', `${name}=${value}`])
    const stray = docker('run', '--detach', ...flags, 'locald-test/busybox', 'sleep', '1000')
    const foreign = docker(
      'run',
      '--detach',
      ...flags,
      '--label',
      'locald.installation=another',
      'locald-test/busybox',
      'sleep',
      '1000',
    )
    try {
      const { daemon } = await harness.serverStatus()
      process.kill(daemon?.pid ?? 0, 'SIGKILL')
      await project.status()
      while (docker('ps', '--all', '--quiet', '--no-trunc').includes(stray)) await sleep(50)
      expect(docker('ps', '--quiet', '--no-trunc')).toContain(foreign)
      expect((await project.service('web')).container).toEqual(container)
    } finally {
      docker('rm', '--force', foreign)
    }
  })

  test('runs a command inside by `run`, with its environment, input and exit code', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.web]\n${image}\ncommand = "touch /mark; sleep 1000"\nenv = { WHO = "me" }\nstop_timeout = "0s"`,
    )
    const early = await project.locald('run', 'web', '--', 'true')
    expect(early.code).not.toBe(0)
    expect(early.stderr).toMatch(/"web" does not run/u)
    await project.up()
    const ran = await project.locald('run', 'web', '--', 'sh', '-c', 'ls /mark; echo $WHO; echo wrong >&2; exit 5')
    expect(ran).toMatchObject({ code: 5, stdout: '/mark\nme\n', stderr: 'wrong\n' })
    const missing = await project.locald('run', 'web', '--', 'no-such-program')
    expect([126, 127]).toContain(missing.code)
    expect(missing.stdout + missing.stderr).toContain('no-such-program')
  })
})

describe.skipIf(whyNoDocker !== null)('the health of a container', () => {
  test('follows the HEALTHCHECK of the image, from its first success on', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.web]
image = "locald-test/healthcheck"
command = "sleep 0.7; touch /ok; sleep 1000"
stop_timeout = "0s"
[services.after]
command = "sleep 1000"
type = "worker"
depends_on = ["web"]`,
    )
    await project.up()
    const web = await project.service('web')
    expect(web.health).toMatchObject({ status: 'healthy', source: 'docker' })
    // The engine itself would ask for the first time after 30 s.
    expect(web.ready_after_ms).toBeGreaterThan(600)
    expect(web.ready_after_ms).toBeLessThan(4000)
  })

  test('follows a health_check command, and shows what it said when it fails', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.web]
${image}
command = "touch /ok; sleep 1000"
health_check = { command = "cat /ok || { echo it is gone; exit 1; }", interval = "300ms", timeout = "2s", retries = 2 }
stop_timeout = "0s"`,
    )
    await project.up()
    const web = await project.service('web')
    expect(web.health).toMatchObject({ status: 'healthy', source: 'docker' })
    const name = web.container?.name ?? ''
    docker('exec', name, 'rm', '/ok')
    const sick = await project.waitFor('web', (service) => service.health.status === 'unhealthy')
    expect(sick.health.message).toMatch(/^The HEALTHCHECK failed 2 times in a row, last with code 1/u)
    expect((await project.locald('why', 'web')).stdout).toContain('it is gone')
    docker('exec', name, 'touch', '/ok')
    await project.waitFor('web', (service) => service.health.status === 'healthy')
  })

  test('does not fill the container with checks that hang', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.web]
${image}
command = "exec sleep 1000"
health_check = { command = "test -e /ok || sleep 5000", timeout = "200ms", interval = "10m" }
stop_timeout = "0s"`,
    )
    await project.locald('up', '--no-wait')
    const hung = await project.waitFor('web', ({ health }) => health.message?.includes('still runs') ?? false)
    const name = hung.container?.name ?? ''
    const hanging = (): readonly string[] =>
      docker('top', name, '-eo', 'pid,args')
        .split('\n')
        .filter((line) => line.endsWith(' sleep 5000'))
    expect(hanging()).toHaveLength(1)
    docker('exec', name, 'touch', '/ok')
    docker('exec', name, 'killall', 'sleep')
    const healthy = await project.waitFor('web', ({ health }) => health.status === 'healthy')
    expect(healthy.run).toBe(1)
  })

  test("is the engine's own opinion once it is healthy: it is told of it, and not asked", async () => {
    await using engine = await recordEngine(dockerEnv['DOCKER_HOST'] ?? '')
    await using harness = createHarness({ DOCKER_HOST: engine.url })
    const project = projectOf(
      harness,
      `[services.web]
${image}
command = "touch /ok; sleep 1000"
health_check = { command = "test -e /ok", interval = "300ms", retries = 5 }
stop_timeout = "0s"`,
    )
    await project.up()
    const name = (await project.service('web')).container?.name ?? ''
    const isHealthy = (): boolean => docker('inspect', '--format', '{{.State.Health.Status}}', name) === 'healthy'
    while (!isHealthy()) await sleep(50)
    await project.status()
    const before = engine.requests.length
    docker('exec', name, 'rm', '/ok')
    // After five checks of the engine's, more than a second later.
    await project.waitFor('web', (service) => service.health.status === 'unhealthy')
    const asked = engine.requests.slice(before)
    expect(asked.filter((line) => line.includes('/exec'))).toEqual([])
    expect(asked.length).toBeLessThanOrEqual(3)
  })

  test('is a listener inside, not the published port, which accepts at once', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.late]
${image}
command = "sleep 1; exec httpd -f -p 80"
container_port = 80
stop_timeout = "0s"
[services.inward]
${image}
command = "exec httpd -f -p 127.0.0.1:80"
container_port = 80
start_timeout = "1s"
stop_timeout = "0s"`,
    )
    await project.locald('up', '--no-wait')
    const late = await project.waitFor('late', (service) => service.state === 'running')
    expect(late.health).toMatchObject({ status: 'healthy', source: 'tcp' })
    expect(late.ready_after_ms).toBeGreaterThan(900)
    const inward = await project.waitFor('inward', (service) => service.health.status === 'unhealthy')
    expect(inward.health.message).toMatch(/Listens on 127\.0\.0\.1:80 in the container.*0\.0\.0\.0/u)
    expect((await project.locald('why', 'inward')).stdout).toContain('Let it listen on 0.0.0.0:80 in the container')
  })

  test('may be asked by http, from outside', async () => {
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.web]
${image}
command = "mkdir /w; httpd -p 80 -h /w; sleep 0.5; echo up > /w/ready; sleep 1000"
container_port = 80
health_check = { type = "http", path = "/ready" }
stop_timeout = "0s"`,
    )
    await project.up()
    const web = await project.service('web')
    expect(web.health).toMatchObject({ status: 'healthy', source: 'http' })
    expect(web.ready_after_ms).toBeGreaterThan(450)
    expect(web.ports).toEqual([web.port])
  })
})

describe.skipIf(whyNoDocker !== null)('host.docker.internal', () => {
  test('leads to services that the container depends on, and to nothing else', async () => {
    await using harness = containerHarness()
    const serve = (text: string): string =>
      `node -e "require('http').createServer((_, r) => r.end('${text}')).listen(process.env.PORT, '127.0.0.1')"`
    const project = projectOf(
      harness,
      `[services.api]
type = "exec"
command = ["/bin/sh", "-c", ${JSON.stringify(serve('from the host'))}]
[services.other]
type = "exec"
command = ["/bin/sh", "-c", ${JSON.stringify(serve('secret'))}]
[services.box]
${image}
command = "echo $API_URL; wget -qO- $API_URL; echo; wget -qO- $OTHER_URL || echo refused; touch /done; sleep 1000"
depends_on = ["api"]
health_check = "test -e /done"
stop_timeout = "0s"
[services.stranger]
${image}
command = "wget -qO- $API_URL || echo refused; touch /done; sleep 1000"
health_check = "test -e /done"
stop_timeout = "0s"`,
    )
    await project.up('api', 'other')
    await project.up()
    const api = await project.service('api')
    // What goes to two streams comes in no certain order.
    const box = await outputOf(project, 'box')
    expect([...box].sort()).toEqual([
      'from the host',
      `http://host.docker.internal:${String(api.port)}`,
      'refused',
      expect.stringMatching(/^wget: can't connect/u),
    ])
    const stranger = await outputOf(project, 'stranger')
    expect(stranger).toContain('refused')
    expect(stranger).not.toContain('from the host')
    // A restart of the host service is followed, on whatever addresses it listens.
    await project.locald('restart', 'api')
    const again = await project.locald('run', 'box', '--', 'sh', '-c', 'wget -qO- $API_URL')
    expect(again.stdout).toBe('from the host')
  })
})

describe.skipIf(whyNoDocker !== null)('the example', () => {
  test('docker-service: a container asks the host, and the host the container', async () => {
    await using harness = containerHarness()
    const project = harness.example('docker-service')
    await project.up()
    const web = await project.service('web')
    expect(await (await fetch(`http://127.0.0.1:${String(web.port)}/`)).text()).toBe(
      'the container says: hello from the host\n',
    )
    expect((await project.service('pages')).health).toMatchObject({ status: 'healthy', source: 'tcp' })
    const inside = await project.locald('run', 'pages', '--', 'cat', '/www/api.txt')
    expect(inside.stdout).toBe('hello from the host\n')
  })

  test('health-check-service: a container, a script and a server, each ready in its own way, in order', async () => {
    await using harness = containerHarness()
    const project = harness.example('health-check-service')
    await project.up()
    const { services } = await project.status()
    expect(services.map(({ name, health }) => `${name} ${health.status} ${health.source}`)).toEqual([
      'store healthy docker',
      'queue healthy notify',
      'web healthy tcp',
    ])
    const [store, queue, web] = services
    const readyAt = (service: ServiceSnapshot | undefined): number =>
      Date.parse(service?.started_at ?? '') + (service?.ready_after_ms ?? 0)
    expect(Date.parse(queue?.started_at ?? '')).toBeGreaterThanOrEqual(readyAt(store))
    expect(Date.parse(web?.started_at ?? '')).toBeGreaterThanOrEqual(readyAt(queue))
    expect((await outputOf(project, 'store')).at(-1)).toBe('loaded')
  })
})

describe.skipIf(whyNoDocker !== null)('an image', () => {
  test('that is missing is pulled, and says how far it is', async () => {
    await using registry = await startRegistry('locald-test/busybox')
    await using harness = containerHarness()
    const name = `127.0.0.1:${registry.port}/small:1`
    const project = projectOf(
      harness,
      `[services.web]\nimage = "${name}"\ncommand = "echo it runs; sleep 1000"\nstart_timeout = "1s"\nstop_timeout = "0s"`,
    )
    try {
      await project.locald('up', '--no-wait')
      const pulling = await project.waitFor('web', (service) => /^Pulling .*MB$/u.test(service.health.message ?? ''))
      expect(pulling.state).toBe('starting')
      expect(pulling.container).toBeUndefined()
      registry.release()
      const web = await project.waitFor('web', (service) => service.state === 'running')
      // The pull is no part of the time it took to be ready, nor of start_timeout.
      expect(web.ready_after_ms).toBeLessThan(1900)
      expect(await outputOf(project, 'web')).toEqual(['it runs'])
      await project.locald('stop')
    } finally {
      registry.release()
      docker('rmi', '--force', name)
    }
  })

  test('that cannot be pulled fails its service alone, and a stop ends a pull', async () => {
    await using registry = await startRegistry('locald-test/busybox')
    await using harness = containerHarness()
    const project = projectOf(
      harness,
      `[services.missing]
image = "127.0.0.1:${registry.port}/nothing:1"
[services.slow]
image = "127.0.0.1:${registry.port}/small:2"
command = "sleep 1000"
[services.fine]
command = "sleep 1000"
type = "worker"`,
    )
    await project.locald('up', '--no-wait')
    const missing = await project.waitFor('missing', (service) => service.state === 'failed')
    expect(missing.reason).toMatch(/^cannot pull the image "127\.0\.0\.1:\d+\/nothing:1": /u)
    await project.waitFor('fine', (service) => service.state === 'running')
    await project.waitFor('slow', (service) => service.health.message?.startsWith('Pulling') === true)
    expect((await project.locald('stop')).code).toBe(0)
    expect((await project.service('slow')).state).toBe('stopped')
    expect(containersOf(await idOf(project))).toEqual([])
  })
})

describe('without an engine', () => {
  const both = `[services.box]\n${image}\ncommand = "sleep 1000"\n[services.fine]\ncommand = "sleep 1000"\ntype = "worker"`

  test('only the services that need one fail, and say how to start one', async () => {
    await using harness = createHarness({ DOCKER_HOST: 'unix:///nowhere/docker.sock' })
    const project = projectOf(harness, both)
    const up = await project.locald('up')
    expect(up.code).toBe(1)
    const box = await project.service('box')
    expect(box).toMatchObject({ state: 'failed' })
    expect(box.reason).toMatch(/^no Docker engine runs .*\/nowhere\/docker\.sock.*start one: /u)
    expect((await project.service('fine')).health.status).toBe('healthy')
    const why = await project.locald('why', 'box')
    expect(why.stdout.split('\n').slice(0, 3).join('\n')).toContain('no Docker engine runs')
  })

  test.skipIf(whyNoDocker !== null)('it is found when it is there at the next start', async () => {
    await using harness = createHarness({ DOCKER_HOST: 'unix:///nowhere/docker.sock' })
    const project = projectOf(harness, both.replace('1000"\n', '1000"\nstop_timeout = "0s"\n'))
    await project.locald('up')
    const found = await harness.locald(['up'], { cwd: project.directory, env: dockerEnv })
    expect(found.code).toBe(0)
  })

  test.skipIf(whyNoDocker !== null)('one over ssh runs what needs neither ports nor volumes', async () => {
    await using harness = createHarness({ DOCKER_HOST: 'ssh://me@far.example' })
    // Stands for ssh and the other machine: it connects to the engine that is here.
    const socket = dockerEnv['DOCKER_HOST']?.slice('unix://'.length) ?? ''
    const project = harness.project({
      'locald.toml': `[services.box]\n${image}\ncommand = "echo far away; sleep 1000"\nstop_timeout = "0s"\nhealth_check = "true"`,
      'bin/ssh': `#!/usr/bin/env node
const socket = require('node:net').connect(${JSON.stringify(socket)})
process.stdin.pipe(socket).pipe(process.stdout)
if (!process.argv.slice(2).join(' ').endsWith('-- me@far.example docker system dial-stdio')) process.exit(1)
`,
    })
    chmodSync(join(project.directory, 'bin/ssh'), 0o755)
    const env = { PATH: `${project.directory}/bin:${process.env['PATH'] ?? ''}` }
    const up = await harness.locald(['up'], { cwd: project.directory, env })
    expect(up.code).toBe(0)
    const box = await project.service('box')
    expect(box).toMatchObject({
      health: { status: 'healthy', source: 'docker' },
      container: { engine: 'ssh://me@far.example' },
    })
    expect(box.pid).toBeNull()
    expect(await outputOf(project, 'box')).toEqual(['far away'])
    expect((await project.locald('stop')).code).toBe(0)
    expect(containersOf(await idOf(project))).toEqual([])
  })

  test('a remote one is refused for volumes and ports, by name', async () => {
    await using harness = createHarness({ DOCKER_HOST: 'tcp://192.0.2.1:2375' })
    const project = projectOf(
      harness,
      `[services.data]\n${image}\nvolumes = ["./data:/data"]\n[services.web]\n${image}\ncontainer_port = 80`,
    )
    expect((await project.locald('up')).code).toBe(1)
    const reason = async (name: string): Promise<ServiceSnapshot['reason']> => (await project.service(name)).reason
    expect(await reason('data')).toMatch(/tcp:\/\/192\.0\.2\.1:2375 is on another machine.*"\.\/data:\/data"/u)
    expect(await reason('web')).toMatch(/tcp:\/\/192\.0\.2\.1:2375 is on another machine.*port 80/u)
  })
})

/** What the service itself wrote. */
async function outputOf(project: Project, service: string, ...args: readonly string[]): Promise<readonly string[]> {
  const logs = await project.locald('logs', service, '--json', ...args)
  if (logs.code !== 0) throw new Error(logs.stderr)
  return logs
    .jsonLines<{ stream: string; text: string }>()
    .filter(({ stream }) => stream !== 'locald')
    .map(({ text }) => text)
}
