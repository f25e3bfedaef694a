// `locald start`: what is in front of its user ends when they say so, and only then.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { findLeftovers } from '../support/leftovers.ts'

test('the first Ctrl-C says who is still alive, a second one kills that, with everything below it', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.deaf]
type = "worker"
command = "trap '' TERM; (trap '' TERM HUP; exec setsid sleep 1000) & echo ready; while :; do sleep 0.1; done"
stop_timeout = "never"
`,
  })
  const start = project.start('start')
  await start.waitForOutput(/deaf.*ready/u)
  start.signal('SIGINT')
  await start.waitForOutput(/SIGINT received, starting shutdown/u)
  const [line] = await start.waitForOutput(/deaf still alive after \d.*$/mu)
  expect(line).toMatch(/after \d.*: .*sleep/u)
  start.signal('SIGINT')
  const { code, stdout, stderr } = await start.ended
  expect(code).toBe(130)
  expect(stdout + stderr).toContain('sending SIGKILL to all processes')
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('a `restart` of everything from elsewhere is no end, though for a moment nothing runs', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'a: echo a runs; exec sleep 1000\nb: echo b runs; exec sleep 1000\n' })
  const start = project.start('start')
  await start.waitForOutput(/a runs[^]*b runs|b runs[^]*a runs/u)
  const before = await Promise.all([project.service('a'), project.service('b')])
  expect((await project.locald('restart')).code).toBe(0)
  await start.waitForOutput(/(a runs[^]*){2}/u)
  await start.waitForOutput(/(b runs[^]*){2}/u)
  const after = await Promise.all([project.service('a'), project.service('b')])
  expect(after.map(({ state }) => state)).toEqual(['running', 'running'])
  for (const [index, { pid }] of after.entries()) expect(pid).not.toBe(before[index]?.pid)
  start.signal('SIGINT')
  expect((await start.ended).code).toBe(130)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})

test('a project that is up is not started once more in the foreground: exit code 2, and where its output is', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'a: exec sleep 1000\n' })
  await project.up()
  const before = await project.service('a')
  const { code, stdout, stderr } = await project.locald('start')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('it is already up')
  expect(stderr).toContain('locald logs -f')
  expect(await project.service('a')).toMatchObject({ state: 'running', pid: before.pid, run: before.run })
  await project.locald('stop')
})
