import { once } from 'node:events'
import { get, IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'

const server = `require('node:http').createServer((q, r) => r.end('hello')).listen(process.env.PORT, () => console.log('up', ...process.argv.slice(2)))\n`
const packages = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** By a name that this system need not resolve. */
async function page(url: string): Promise<string> {
  const { port, host } = new URL(url)
  const [response]: unknown[] = await once(get({ host: '127.0.0.1', port, headers: { host } }), 'response')
  return response instanceof IncomingMessage ? await text(response) : ''
}

test('a command gets a port and a URL, and nothing of it is left', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'server.cjs': server, '.env': 'GREETING=from the file\n' }, 'shop')
  const cli = project.start('try', 'node', 'server.cjs', 'two words', '$HOME')
  const [, url = ''] = await cli.waitForOutput(/➜ (http\S+)/u)
  expect(cli.output()).toContain(`$ node server.cjs 'two words' '$HOME'\n`)
  expect(cli.output()).toContain('up two words $HOME\n')
  expect(await page(url)).toBe('hello')
  cli.signal('SIGINT')
  expect(await cli.ended).toMatchObject({ code: 130 })
  expect(await page(url).catch(() => 'nobody listens')).not.toBe('hello')
  expect((await harness.locald(['registry', 'list', '--json'])).json()).toEqual({ projects: [] })
  expect(readdirSync(join(harness.home, 'state/try'))).toEqual([])
  expect(readdirSync(project.directory).sort()).toEqual(['.env', '.git', 'server.cjs'])
})

test('the exit code is that of the command, and 125 when locald failed', async () => {
  await using harness = createHarness()
  const project = harness.project({})
  expect(await project.locald('try', 'exit 7')).toMatchObject({ code: 7, stderr: '$ exit 7\n✗ exited with code 7\n' })
  expect(await project.locald('try', 'true')).toMatchObject({ code: 0, stderr: '$ true\n' })
  expect((await project.locald('try', 'no-such-command')).code).toBe(127)
  expect((await project.locald('try', 'kill -SEGV $$')).code).toBe(139)
  expect((await project.locald('try')).code).toBe(2)
  const broken = await harness.locald(['try', 'true'], { cwd: project.directory, env: { LOCALD_HOME: '/proc/none' } })
  expect(broken.code).toBe(125)
})

test('env files and --env reach it', async () => {
  await using harness = createHarness()
  const project = harness.project({ '.env': 'FROM_FILE=file\n' })
  const { stdout } = await project.locald('try', '--env', 'GIVEN=flag', 'echo "$FROM_FILE $GIVEN ${PORT:+port}"')
  expect(stdout).toBe('file flag port\n')
})

test('Vite, which does not look at PORT, is told by flags through scripts that call each other', async () => {
  await using harness = createHarness()
  const scripts = { dev: 'vite', start: 'true && npm run dev' }
  const project = harness.project({ 'package.json': JSON.stringify({ scripts }), 'index.html': '<p>hello</p>' })
  symlinkSync(packages, join(project.directory, 'node_modules'))
  const cli = project.start('try', 'npm', 'start')
  const [, url = ''] = await cli.waitForOutput(/➜ (http\S+)/u)
  expect(cli.output()).toContain(
    '$ npm start -- -- --port "$PORT" --strictPort --host 127.0.0.1 (Vite is told its port by flags)',
  )
  expect(await page(url)).toContain('<p>hello</p>')
  cli.signal('SIGINT')
  expect((await cli.ended).code).toBe(130)
})

test('a server that heeds nothing is found where it listens, without a complaint', async () => {
  await using harness = createHarness()
  const own = server.replace('process.env.PORT', '0')
  const project = harness.project({ 'server.cjs': own })
  const cli = project.start('try', 'node', 'server.cjs')
  const [, url = ''] = await cli.waitForOutput(/➜ (http\S+)/u)
  expect(await page(url)).toBe('hello')
  cli.signal('SIGINT')
  expect((await cli.ended).stderr).not.toContain('warning')
})

test('--save keeps what was healthy: in a new file, or beside what is there', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'server.cjs': server }, 'shop')
  const tryIt = async (): Promise<string> => {
    const cli = project.start('try', '--save', 'node server.cjs')
    await cli.waitForOutput(/➜ (http\S+)/u)
    cli.signal('SIGINT')
    return (await cli.ended).stderr
  }
  expect(await tryIt()).toContain(`Wrote ${project.directory}/locald.toml. Start it with "locald up"`)
  expect(project.read('locald.toml')).toBe('# What "locald up" runs.\n\n[services.web]\ncommand = "node server.cjs"\n')
  await project.up()
  await project.locald('stop')
  project.write('locald.toml', '# mine\n[services.web]\ncommand = "x" # why\n')
  expect(await tryIt()).toContain(`Added "shop" to ${project.directory}/locald.toml`)
  expect(project.read('locald.toml')).toBe(
    '# mine\n[services.web]\ncommand = "x" # why\n\n[services.shop]\ncommand = "node server.cjs"\n',
  )
  project.write('locald.toml', 'services = { web = { command = "x" } }\n')
  expect(await tryIt()).toContain('Nothing can be added to the locald.toml here')
  expect(project.read('locald.toml')).toBe('services = { web = { command = "x" } }\n')
})

test('what never became healthy is not kept', async () => {
  await using harness = createHarness()
  const project = harness.project({})
  await project.locald('try', '--save', 'exit 3')
  expect(readdirSync(project.directory)).toEqual(['.git'])
})

test('on a terminal it asks, and writes what was agreed to', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'server.cjs': server }, 'shop')
  await using terminal = openTerminal(`exec ${loc} try node server.cjs`, { cwd: project.directory, env: harness.env })
  await terminal.waitFor(/➜.*http/u)
  terminal.type('\u0003')
  await terminal.waitFor('Write this to')
  terminal.type('y')
  await terminal.waitFor('Wrote')
  expect(await terminal.ended).toBe(130)
  expect(readFileSync(join(project.directory, 'locald.toml'), 'utf8')).toContain('command = "node server.cjs"')
})
