// `locald logs` in all its ways, over the runs of a service.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'
import type { Project } from '../support/harness.ts'

interface Line {
  readonly at: string
  readonly service: string
  readonly stream: string
  readonly run: number
  readonly text: string
}

/** `web` says what it is told to by files; `job` ends by itself. */
const files = {
  'web.mjs': `
import { createServer } from 'node:http'
import { existsSync, readFileSync, rmSync } from 'node:fs'
console.log('web begins')
setInterval(() => {
  if (!existsSync('say')) return
  const text = readFileSync('say', 'utf8')
  rmSync('say')
  console.log(text)
  if (text === 'crash') process.exit(7)
}, 10)
createServer((request, response) => {
  response.statusCode = existsSync('ill') ? 503 : 200
  response.end()
}).listen(process.env.PORT)
`,
  'locald.toml': `
[services.web]
command = ["${process.execPath}", "web.mjs"]
health_check = { type = "http", path = "/", interval = "100ms", retries = 1 }
restart = "always"

[services.job]
type = "task"
command = "echo one; echo two; printf '\\\\033[31mERROR\\\\033[0m three\\\\n'"
`,
}

async function linesOf(project: Project, ...args: readonly string[]): Promise<readonly Line[]> {
  const result = await project.locald('logs', '--json', ...args)
  expect(result.code).toBe(0)
  return result.jsonLines<Line>()
}

async function textsOf(project: Project, ...args: readonly string[]): Promise<readonly string[]> {
  return (await linesOf(project, ...args)).map(({ text }) => text)
}

/** Has `web` say something, and waits until that is recorded. */
async function say(project: Project, text: string): Promise<void> {
  const following = project.start('logs', 'web', '-f', '--no-prefix')
  project.write('say', text)
  await following.waitForOutput(new RegExp(`^${text}$`, 'mu'))
  following.signal('SIGINT')
  await following.ended
}

test('starts, exits, health and refusals stand among the output, where they happened', async () => {
  await using harness = createHarness()
  const project = harness.project({
    ...files,
    'locald.toml': `${files['locald.toml']}[services.wrong]\ntype = "worker"\ncommand = ["./is-not-there"]\n`,
  })
  const { code } = await project.locald('up')
  expect(code).toBe(1)
  project.write('ill', '')
  await project.waitFor('web', ({ health }) => health.status === 'unhealthy')
  await project.locald('stop')
  const web = (await linesOf(project, 'web')).map(({ stream, text }) => (stream === 'locald' ? `* ${text}` : text))
  expect(web).toEqual([
    expect.stringMatching(/^\* started with pid \d+$/u),
    'web begins',
    expect.stringMatching(/^\* healthy \(http\): /u),
    expect.stringMatching(/^\* unhealthy \(http\): .*503/u),
    '* terminated by SIGTERM',
  ])
  expect((await linesOf(project, 'wrong')).map(({ stream, run, text }) => [stream, run, text])).toEqual([
    ['locald', 1, expect.stringMatching(/^not started: .*is-not-there/u)],
  ])
})

test('-f follows a service through its restarts and those of the daemon, without a line lost or doubled', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up('web')
  const following = project.start('logs', 'web', '-f', '--no-prefix')
  await following.waitForOutput(/web begins/u)
  const first = (await project.service('web')).pid
  project.write('say', 'crash')
  await project.waitFor('web', ({ pid, health }) => pid !== null && pid !== first && health.status === 'healthy')
  await following.waitForOutput(/exited with code 7[^]*web begins[^]*healthy/u)
  await harness.locald(['server', 'restart'])
  project.write('say', 'after the daemon')
  await following.waitForOutput(/after the daemon/u)
  const second = (await project.service('web')).pid
  await project.locald('restart', 'web')
  expect((await project.service('web')).pid).not.toBe(second)
  await following.waitForOutput(/after the daemon[^]*web begins[^]*healthy/u)
  following.signal('SIGINT')
  const { stdout, code } = await following.ended
  expect(code).toBe(0)
  const shown = stdout.trimEnd().split('\n')
  expect(shown).toEqual((await textsOf(project, 'web')).slice(0, shown.length))
  expect(shown.filter((text) => text === 'web begins')).toHaveLength(3)
  expect(shown.filter((text) => text === 'after the daemon')).toHaveLength(1)
})

test('-n, --since, --until, --grep, --run choose lines, alone and together', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up()
  await say(project, 'first run')
  const said = (await linesOf(project, 'web')).find(({ text }) => text === 'first run')
  await project.locald('restart', 'web')
  await say(project, 'second run')

  expect(await textsOf(project, 'job')).toEqual([
    expect.stringMatching(/^started with pid/u),
    'one',
    'two',
    '\u001b[31mERROR\u001b[0m three',
    'exited with code 0',
  ])
  expect(await textsOf(project, 'job', '-n', '2')).toEqual(['\u001b[31mERROR\u001b[0m three', 'exited with code 0'])
  expect(await textsOf(project, 'job', '-n', '0')).toEqual([])
  expect(await textsOf(project, 'job', '--grep', '^ERROR three$')).toEqual(['\u001b[31mERROR\u001b[0m three'])
  expect(await textsOf(project, '--grep', '^(one|first run)$')).toEqual(['one', 'first run'])
  expect((await textsOf(project, 'web', '--run', '1')).filter((text) => text.endsWith('run'))).toEqual(['first run'])
  expect((await textsOf(project, 'web', '--run', '-1')).filter((text) => text.endsWith('run'))).toEqual(['second run'])
  const { at = '' } = said ?? {}
  expect(await textsOf(project, 'web', '--since', at, '-n', '1')).toEqual(['second run'])
  expect((await textsOf(project, 'web', '--since', at))[0]).toBe('first run')
  expect((await textsOf(project, 'web', '--until', at)).at(-1)).toBe('first run')
  expect(await textsOf(project, 'web', '--since', '1h', '--until', at, '--grep', 'run', '--run', '1')).toEqual([
    'first run',
  ])
  expect(await textsOf(project, '--since', '0s')).toEqual([])

  const wrong = await project.locald('logs', '--grep', '(')
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('regular expression')])
  expect((await project.locald('logs', 'webb')).code).toBe(4)
})

test('several services are merged in the order of time, each line with its label', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': ['a', 'b', 'c']
      .map(
        (name) =>
          `[services.${name}]\ntype = "task"\ncommand = "for i in 1 2 3 4 5; do echo ${name}$i; sleep 0.02; done"\n`,
      )
      .join(''),
  })
  await project.up()
  const lines = await linesOf(project)
  expect(lines).toHaveLength(21)
  const times = lines.map(({ at }) => at)
  expect(times).toEqual(times.toSorted())
  expect(new Set(lines.map(({ service }) => service))).toEqual(new Set(['a', 'b', 'c']))
  const { stdout } = await project.locald('logs', 'a', 'c', '--grep', '^.1$')
  expect(stdout.split('\n').filter(Boolean).toSorted()).toEqual(['a      | a1', 'c      | c1'])
})

test('what goes to a terminal or a pipe cannot move the cursor, set a title or write the clipboard', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.job]\ntype = "task"\ncommand = "printf '\\\\033]0;title\\\\007a\\\\033[2Jb\\\\033]52;c;aGk=\\\\007c\\\\033[1Ad\\\\n'"\n`,
  })
  await project.up()
  const { stdout } = await project.locald('logs', '--no-prefix', '--grep', 'abcd')
  expect(stdout).toBe('abcd\n')
})

test('colours reach a terminal as they were written, and no pipe', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up('job')
  await using terminal = openTerminal(`${loc} logs job --no-prefix`, { cwd: project.directory, env: harness.env })
  await terminal.waitFor('\u001b[31mERROR\u001b[0m three')
  await terminal.ended
  expect((await project.locald('logs', 'job', '--no-prefix')).stdout).toContain('\nERROR three\n')
})
