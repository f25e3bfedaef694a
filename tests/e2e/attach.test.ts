// A service's own terminal, in somebody's hands.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'
import type { Terminal, TerminalOptions } from '../support/terminal.ts'

const python = `[services.py]\ntype = "worker"\ncommand = "exec python3 -q -i"\n`
const detach = '\x10\x11'

/** What a user sees: the terminal's settings before and after, and the exit code. */
function attach(harness: Harness, project: Project, args: string, options: Partial<TerminalOptions> = {}): Terminal {
  return openTerminal(`stty -g >before; ${loc} attach ${args}; echo "code $?"; stty -g >after; echo noted; exec cat`, {
    cwd: project.directory,
    env: harness.env,
    ...options,
  })
}

async function expectRestored(terminal: Terminal, project: Project): Promise<void> {
  await terminal.waitFor('noted')
  const [before, after] = ['before', 'after'].map((name) => readFileSync(join(project.directory, name), 'utf8'))
  expect(after).toBe(before)
}

async function killDaemon(harness: Harness): Promise<void> {
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
}

test('`python3 -i` is used through attach: what is typed, Ctrl-C, the size, and detaching', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  const { pid } = await project.service('py')
  await using terminal = attach(harness, project, 'py', { cols: 91, rows: 33 })
  await terminal.waitFor('>>> ') // what it wrote before anybody came
  terminal.type('6 * 7\r')
  await terminal.waitFor(/\n42\r/u)
  terminal.type('import os, time; os.get_terminal_size()\r')
  await terminal.waitFor('columns=91, lines=33')
  await terminal.waitFor('>>> ')
  terminal.resize(70, 20)
  await terminal.waitFor(/\r *\r>>> /u) // readline draws its line anew
  terminal.type('os.get_terminal_size()\r')
  await terminal.waitFor('columns=70, lines=20')
  terminal.type('print("sleeping"); time.sleep(1000)\r')
  await terminal.waitFor(/\nsleeping/u)
  terminal.type('\x03')
  await terminal.waitFor('KeyboardInterrupt')
  terminal.type(detach)
  await terminal.waitFor('Detached from py')
  await terminal.waitFor('code 0')
  expect(await project.service('py')).toMatchObject({ pid, state: 'running', restarts: 0 })
  await expectRestored(terminal, project)
  // Recorded all the while.
  expect((await project.lines('py')).join('\n')).toContain('KeyboardInterrupt')
})

test('the terminal is 120×40 until somebody types, and again when they have left', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using first = attach(harness, project, 'py', { cols: 91, rows: 33 })
  await first.waitFor('>>> ')
  first.type('import os, signal\r')
  await first.waitFor('>>> ')
  first.type('p = lambda *_: print(os.get_terminal_size())\r')
  await first.waitFor('>>> ')
  await using second = attach(harness, project, 'py', { cols: 60, rows: 15 })
  await second.waitFor('>>> ')
  first.type('p()\r')
  await second.waitFor('columns=91, lines=33')
  await first.waitFor('columns=91, lines=33')
  second.type('p()\r')
  await first.waitFor('columns=60, lines=15')
  // The one who typed last has left: the other one counts, then nobody.
  first.type('signal.signal(signal.SIGWINCH, p)\r')
  await first.waitFor('Handlers')
  second.type('\r')
  await first.waitFor('columns=60, lines=15')
  second.type(detach)
  await first.waitFor('columns=91, lines=33')
  first.type(detach)
  await first.waitFor('code 0')
  await expect
    .poll(() => project.lines('py'), { timeout: 10_000, interval: 100 })
    .toContainEqual(expect.stringContaining('columns=120, lines=40'))
})

test('attached clients go on after the daemon was killed: nothing is lost or typed twice', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using one = attach(harness, project, 'py')
  await using two = attach(harness, project, 'py')
  await one.waitFor('>>> ')
  await two.waitFor('>>> ')
  one.type('n = 0\r')
  await two.waitFor('n = 0')
  for (let round = 1; round <= 4; round++) {
    await killDaemon(harness)
    one.type('n += 1; print("n is", n, "in both")\r')
    await two.waitFor(`n is ${round} in both`)
    await one.waitFor(`n is ${round} in both`)
  }
  for (const { output } of [one, two])
    expect(output().match(/is \d in/gu)).toEqual([1, 2, 3, 4].map((n) => `is ${n} in`))
})

test.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s leaves the terminal as it was', async (signal) => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using terminal = openTerminal(
    `stty -g >before; ${loc} attach py & echo $! >pid; fg >/dev/null 2>&1 || wait $!; echo "code $?"; stty -g >after; echo noted; exec cat`,
    { cwd: project.directory, env: harness.env },
  )
  await terminal.waitFor('>>> ')
  process.kill(Number(readFileSync(join(project.directory, 'pid'), 'utf8')), signal)
  await terminal.waitFor(/code \d+/u)
  await expectRestored(terminal, project)
  expect(await project.service('py')).toMatchObject({ state: 'running', restarts: 0 })
})

test('a lone Ctrl-P reaches the service after a moment', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using terminal = attach(harness, project, 'py')
  await terminal.waitFor('>>> ')
  terminal.type('import tty, os; tty.setraw(0); print(os.read(0, 1))\r')
  await terminal.waitFor('\n')
  terminal.type('\x10')
  await terminal.waitFor(String.raw`b'\x10'`)
})

test('what a program leaves on the terminal is undone: alternate screen, mouse, hidden cursor', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'full.py': `import time
print('\\x1b[?1049h\\x1b[?25l\\x1b[?1000h\\x1b[?2004h\\x1b[31mfull screen', end='', flush=True)
time.sleep(1000)`,
    'locald.toml': '[services.full]\ntype = "worker"\ncommand = "exec python3 full.py"\n',
  })
  await project.up()
  await using terminal = attach(harness, project, 'full')
  // As written: with the colour and the control sequences.
  await terminal.waitFor('\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?2004h\x1b[31mfull screen')
  terminal.type(detach)
  await terminal.waitFor('code 0')
  for (const reset of ['\x1b[?1049l', '\x1b[?25h', '\x1b[?1000l', '\x1b[?2004l', '\x1b[0m']) {
    expect(terminal.output()).toContain(reset)
  }
})

test('attach follows the service over a restart and ends when it is stopped', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using terminal = attach(harness, project, 'py')
  await terminal.waitFor('>>> ')
  terminal.type('x = 1\r')
  await terminal.waitFor('>>> ')
  expect((await project.locald('restart', 'py')).code).toBe(0)
  await terminal.waitFor('started with pid')
  await terminal.waitFor('>>> ')
  terminal.type('import os; x, os.get_terminal_size()\r')
  await terminal.waitFor('NameError')
  expect((await project.locald('stop')).code).toBe(0)
  await terminal.waitFor('py is stopped')
  await terminal.waitFor('code 0')
})

test('lines go to a service without a terminal; Ctrl-P Ctrl-Q detaches there, too', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.upper]\ntype = "worker"\ncommand = "exec sed -u s/^/got:/"\ntty = false\n',
  })
  await project.up()
  await using terminal = attach(harness, project, 'upper')
  await terminal.waitFor('upper; detach')
  terminal.type('one\r')
  await terminal.waitFor('got:one')
  terminal.type('wrong\x15two\r') // Ctrl-U: the line is edited here
  await terminal.waitFor('got:two')
  terminal.type(`half a line${detach}`)
  await terminal.waitFor('code 0')
  await expectRestored(terminal, project)
  expect(await project.lines('upper')).toEqual(['got:one', 'got:two'])
})

test('a service that floods can be attached to and left', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': '[services.flood]\ntype = "worker"\ncommand = "exec yes abcdefghijklmnopqrstuvwxyz"\n',
  })
  await project.up()
  await using terminal = attach(harness, project, 'flood')
  await expect.poll(() => terminal.output().length, { timeout: 10_000, interval: 50 }).toBeGreaterThan(1_000_000)
  const asked = performance.now()
  terminal.type(detach)
  await terminal.waitFor('code 0')
  expect(performance.now() - asked).toBeLessThan(3000)
})

test('input from a pipe is typed, then attach ends', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': python })
  await project.up()
  await using terminal = openTerminal(`echo 'print(6 * 7)' | ${loc} attach py >/dev/null; echo "code $?"`, {
    cwd: project.directory,
    env: harness.env,
  })
  await terminal.waitFor('code 0')
  await expect.poll(() => project.lines('py'), { timeout: 10_000, interval: 100 }).toContain('42')
})

test('what cannot be attached to is said: no such service, stopped, several processes', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${python}[services.web]\ntype = "worker"\ncommand = "exec sleep 1000"\nreplicas = 2\n`,
  })
  const stopped = await project.locald('attach', 'py')
  expect(stopped.code).toBe(1)
  expect(stopped.stderr).toMatch(/stopped[\s\S]*locald up py/u)
  await project.up()
  const several = await project.locald('attach', 'web')
  expect(several.code).toBe(2)
  expect(several.stderr).toContain('web.1, web.2')
  expect((await project.locald('attach', 'nobody')).code).toBe(4)
})
