// Services in containers speak over a notify socket, too. The busybox image gets this machine's programs mounted.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { WhyAnswer } from '@locald/protocol'
import { describe, expect, test } from 'vitest'
import { isRunning, keeperPid } from '../chaos/processes.ts'
import { dockerEnv, whyNoDocker } from '../support/docker.ts'
import { createHarness } from '../support/harness.ts'

const isHeardHere = process.platform === 'linux' && existsSync('/usr/bin/systemd-notify')

describe.skipIf(whyNoDocker !== null || !isHeardHere)('a container', () => {
  const withPrograms = `image = "locald-test/busybox"
volumes = ["/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"]
stop_timeout = "0s"`

  test('says when it is ready, whatever its user, and its dependent starts', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({
      'locald.toml': `
[services.boxed]
${withPrograms}
command = ["/bin/sh", "-c", "sleep 0.3; systemd-notify --ready --status='from a container'; echo told $?; exec sleep 1000"]
user = "1234"
health_check = { type = "notify" }
[services.inferred]
${withPrograms}
command = ["/bin/sh", "-c", "systemd-notify --ready; exec sleep 1000"]
[services.after]
command = "sleep 1000"
depends_on = ["boxed"]
`,
    })
    await project.up()
    expect((await project.service('boxed')).health).toEqual({
      status: 'healthy',
      source: 'notify',
      message: 'Sent READY=1; it says "from a container"',
    })
    expect((await project.service('inferred')).health.source).toBe('notify')
    expect(await project.lines('boxed')).toEqual(['told 0'])
    const answer = (await project.locald('why', 'boxed', '--json')).json<WhyAnswer>()
    expect(answer.notify?.[0]?.messages).toMatchObject([{ uid: 1234, verdict: 'member', accepted: true }])
    expect((await project.locald('stop')).code).toBe(0)
    await expect.poll(() => socketsIn(harness.home)).toEqual([])
  })

  test('gets the time it asks for while it stops, and is not missed by its watchdog', async () => {
    await using harness = createHarness(dockerEnv)
    // The stop signal of that image.
    const end = "trap 'systemd-notify EXTEND_TIMEOUT_USEC=20000000; sleep 1.5; echo bye; exit 7' USR1"
    const project = harness.project({
      'locald.toml': `
[services.boxed]
${withPrograms.replace('"0s"', '"600ms"')}
command = ["/bin/sh", "-c", "${end}; systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.1; done"]
watchdog = "700ms"
`,
    })
    await project.up()
    await using watch = harness.watch()
    expect((await project.locald('stop')).code).toBe(0)
    const boxed = await project.service('boxed')
    expect(boxed).toMatchObject({ state: 'stopped', exit: { code: 7, signal: null } })
    expect(await project.lines('boxed')).toEqual(['bye'])
    expect(watch.events.map(({ type }) => type)).not.toContain('service.unhealthy')
  })

  test('is heard again when its keeper was lost, and its watchdog goes on', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({
      'data/word': 'first',
      'locald.toml': `
[services.boxed]
${withPrograms.replace(']', ', "./data:/data:ro"]')}
command = ["/bin/sh", "-c", "systemd-notify --ready; while :; do test -e /data/quiet || systemd-notify WATCHDOG=1 --status=$(cat /data/word); sleep 0.2; done"]
watchdog = "3s"
restart = "never"
health_check = { type = "notify" }
`,
    })
    await project.up()
    await project.waitFor('boxed', ({ health }) => health.message?.includes('"first"') ?? false)
    const before = await project.service('boxed')
    const keeper = keeperPid(harness.home)
    process.kill(keeper, 'SIGKILL')
    await expect.poll(async () => (await harness.serverStatus()).keeper?.pid ?? keeper).not.toBe(keeper)
    project.write('data/word', 'second')
    const heard = await project.waitFor('boxed', ({ health }) => health.message?.includes('"second"') ?? false)
    expect(heard).toMatchObject({
      run: 1,
      container: before.container,
      health: { status: 'healthy', source: 'notify' },
    })
    project.write('data/quiet', '')
    const missed = await project.waitFor('boxed', ({ health }) => health.status === 'unhealthy')
    expect(missed.health.message).toContain('WATCHDOG=1')
    expect((await project.locald('stop')).code).toBe(0)
    await expect.poll(() => socketsIn(harness.home)).toEqual([])
  })

  test('goes on being healthy by what it said when the journal is lost, and is started anew when nobody knows it any more', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({
      'locald.toml': `
[services.boxed]
${withPrograms}
command = ["/bin/sh", "-c", "systemd-notify --ready; exec sleep 1000"]
health_check = { type = "notify" }
`,
    })
    await project.up()
    const { container } = await project.service('boxed')
    const loseJournal = (): void => rmSync(join(harness.home, 'state/journal'), { recursive: true })
    loseJournal()
    process.kill((await harness.serverStatus()).daemon?.pid ?? 0, 'SIGKILL')
    const kept = await project.waitFor('boxed', ({ health }) => health.status === 'healthy')
    expect(kept).toMatchObject({ run: 1, container })

    const keeper = keeperPid(harness.home)
    const daemon = (await harness.serverStatus()).daemon?.pid ?? 0
    for (const pid of [daemon, keeper]) process.kill(pid, 'SIGSTOP')
    loseJournal()
    for (const pid of [daemon, keeper]) process.kill(pid, 'SIGKILL')
    await expect.poll(() => isRunning(keeper)).toBe(false)
    expect((await harness.locald(['server', 'start'])).code).toBe(0)
    const anew = await project.waitFor('boxed', ({ health, run }) => run === 2 && health.status === 'healthy')
    expect(anew.container).not.toEqual(container)
    expect((await project.status()).warnings.join()).toContain('they are started anew: boxed')
  })

  test('is not spoken for by a process of this machine', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({
      'locald.toml': `
[services.boxed]
image = "locald-test/busybox"
command = ["sleep", "1000"]
health_check = { type = "notify" }
stop_timeout = "0s"
`,
    })
    await project.locald('up', '--no-wait')
    await project.waitFor('boxed', ({ pid }) => pid !== null)
    const [folder = ''] = socketsIn(harness.home)
    spawnSync('systemd-notify', ['--ready'], {
      env: { ...process.env, NOTIFY_SOCKET: join(harness.home, 'run', folder, 'notify.sock') },
    })
    const refused = await project.waitFor('boxed', ({ health }) => health.message?.includes('refused') ?? false)
    expect(refused).toMatchObject({ state: 'starting', ready_after_ms: null })
    const answer = (await project.locald('why', 'boxed', '--json')).json<WhyAnswer>()
    expect(answer.notify?.[0]).toMatchObject({ ready: false, refused: 1, messages: [{ accepted: false }] })
  })
})

function socketsIn(home: string): readonly string[] {
  return readdirSync(join(home, 'run')).filter((name) => name.endsWith('.container'))
}
