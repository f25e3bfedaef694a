// The terminal of a container, in somebody's hands. Against a real engine; without one these tests are skipped.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { dockerEnv, whyNoDocker } from '../support/docker.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'
import type { Terminal, TerminalOptions } from '../support/terminal.ts'

const detach = '\x10\x11'
/** Prompts like a shell, and is one; nothing of a prompt is in the engine's log before its line ends. */
const shell = `[services.sh]
image = "locald-test/busybox"
command = ["sh", "-c", "trap 'echo winched' WINCH; PS1='in> ' exec sh -i"]
tty = true
stop_timeout = "0s"
`

function attach(harness: Harness, project: Project, args: string, options: Partial<TerminalOptions> = {}): Terminal {
  return openTerminal(`stty -g >before; ${loc} attach ${args}; echo "code $?"; stty -g >after; echo noted; exec cat`, {
    cwd: project.directory,
    env: harness.env,
    ...options,
  })
}

describe.skipIf(whyNoDocker !== null)('the terminal of a container', () => {
  test('is used through attach: a prompt from before, what is typed, Ctrl-C, the size, and detaching', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({ 'locald.toml': shell })
    await project.up()
    const { container } = await project.service('sh')
    await using terminal = attach(harness, project, 'sh', { cols: 91, rows: 33 })
    await terminal.waitFor('in> ')
    terminal.type('echo $((6 * 7))\r')
    await terminal.waitFor(/\n42\r/u)
    terminal.type('stty size\r')
    await terminal.waitFor('33 91')
    terminal.resize(70, 20)
    await terminal.waitFor('in> ')
    terminal.type('stty size\r')
    await terminal.waitFor('20 70')
    terminal.type('echo slee$((1))ping; sleep 1000\r')
    await terminal.waitFor(/\nslee1ping/u)
    terminal.type('\x03')
    await terminal.waitFor('in> ')
    terminal.type(detach)
    await terminal.waitFor('Detached from sh')
    await terminal.waitFor('code 0')
    expect(await project.service('sh')).toMatchObject({ container, state: 'running', restarts: 0 })
    await terminal.waitFor('noted')
    const [before, after] = ['before', 'after'].map((name) => readFileSync(join(project.directory, name), 'utf8'))
    expect(after).toBe(before)
    // Recorded all the while.
    await expect.poll(() => project.lines('sh'), { timeout: 10_000 }).toContain('slee1ping')
  })

  test('shows all who are attached the same, and what came before', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({ 'locald.toml': shell })
    await project.up()
    await using one = attach(harness, project, 'sh')
    await one.waitFor('in> ')
    one.type('echo from $((1 + 0))\r')
    await one.waitFor('from 1')
    await one.waitFor('in> ')
    await using two = attach(harness, project, 'sh')
    await two.waitFor(/from 1\r\nin> /u)
    two.type('echo from $((1 + 1))\r')
    await one.waitFor(/from 2\r\nin> /u)
    await two.waitFor(/from 2\r\nin> /u)
    expect(two.output().match(/from \d\r/gu)).toEqual(['from 1\r', 'from 2\r'])
  })

  test('goes on after the daemon was killed, and over a restart', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({ 'locald.toml': shell })
    await project.up()
    await using terminal = attach(harness, project, 'sh')
    await terminal.waitFor('in> ')
    for (let round = 1; round <= 3; round++) {
      const { daemon } = await harness.serverStatus()
      process.kill(daemon?.pid ?? 0, 'SIGKILL')
      await harness.serverStatus()
      // The engine was asked for the terminal again.
      await expect
        .poll(async () => {
          terminal.type(`echo round $((${round} + 0))\r`)
          return await terminal.waitFor(`round ${round}\r`).then(
            () => true,
            () => false,
          )
        })
        .toBe(true)
    }
    terminal.type('touch /mark\r')
    expect((await project.locald('restart', 'sh')).code).toBe(0)
    await terminal.waitFor('sh started')
    await terminal.waitFor('in> ')
    terminal.type('test -e /mark || echo it is an$((1))ther\r')
    await terminal.waitFor('it is an1ther')
    terminal.type('exit 3\r')
    await terminal.waitFor('exited with code 3')
    terminal.type(detach)
    await terminal.waitFor('code 0')
  })

  test('is refused without `tty = true`, with what to do', async () => {
    await using harness = createHarness(dockerEnv)
    const project = harness.project({ 'locald.toml': shell.replace('tty = true\n', '') })
    await project.locald('up', '--no-wait')
    const refused = await project.locald('attach', 'sh')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/no terminal.*\n.*tty = true.*\[services\.sh\].*locald run sh -- sh/su)
  })
})
