// Services that ask something on their terminal, where nobody would ever see it.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'

const asking = `[services.web]
type = "exec"
command = '''printf "Port 3000 is taken. Use another? [Y/n] "; read answer; echo "answer: $answer"; exec python3 -m http.server "$PORT"'''
[services.busy]
type = "worker"
command = '''printf "Compiling... "; exec sleep 1000'''
[services.talking]
type = "worker"
command = '''while :; do echo "a line"; sleep 0.2; done'''
`

test('a service that waits for input says so in up, status and to whoever follows; an answer ends it', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': asking })
  const up = project.start('up')
  await up.waitForOutput(/web starting \(\w+\), waiting for input: locald attach web/u)
  const status = await project.locald('status')
  expect(status.stdout).toContain('waiting for input: locald attach web')
  expect(await project.service('web')).toMatchObject({
    state: 'starting',
    input_wanted: 'locald attach web',
    warnings: ['waiting for input: locald attach web'],
  })
  for (const name of ['busy', 'talking']) expect((await project.service(name)).input_wanted).toBeUndefined()

  await using terminal = openTerminal(`${loc} attach web`, { cwd: project.directory, env: harness.env })
  await terminal.waitFor('[Y/n] ')
  terminal.type('y\r')
  await terminal.waitFor('answer: y')
  expect((await up.ended).code).toBe(0)
  const web = await project.waitFor('web', (service) => service.input_wanted === undefined)
  expect(web).toMatchObject({ state: 'running', warnings: [] })
})

test('a question on a line of its own is one, and tools that take keys at any time ask nothing', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.asking]
type = "worker"
command = '''echo "Continue?"; read -r answer; exec sleep 1000'''
[services.keys]
type = "worker"
command = '''echo "press h + enter to show help"; read -r answer; exec sleep 1000'''
`,
  })
  await project.up()
  await project.waitFor('asking', (service) => service.input_wanted !== undefined)
  expect((await project.service('keys')).input_wanted).toBeUndefined()
})

test('the next daemon knows who waits: also of what was asked while there was none', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.known]
type = "worker"
command = '''printf "Password: "; read -r answer; exec sleep 1000'''
[services.later]
type = "worker"
command = '''while ! test -e go; do sleep 0.05; done; printf "Continue? "; read -r answer; exec sleep 1000'''
`,
  })
  await project.up()
  await project.waitFor('known', (service) => service.input_wanted !== undefined)
  const { daemon } = await harness.serverStatus()
  project.write('go', '')
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  await project.waitFor('later', (service) => service.input_wanted !== undefined)
  expect((await project.service('known')).input_wanted).toBe('locald attach known')
  // An answer that nobody sees on the terminal.
  await using terminal = openTerminal(`stty -g >/dev/null; ${loc} attach known`, {
    cwd: project.directory,
    env: harness.env,
  })
  await terminal.waitFor('Password: ')
  terminal.type('secret\r')
  await project.waitFor('known', (service) => service.input_wanted === undefined)
})
