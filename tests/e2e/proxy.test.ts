// The proxy as part of the whole: what a request meets while services and daemons come and go.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'

const files = {
  'locald.toml': '[project]\nname = "shop"\n[services.web]\ncommand = "node server.mjs"\n',
  'server.mjs': `
import { createServer } from 'node:http'
const server = createServer((request, answer) => {
  if (request.url === '/slow') setTimeout(() => answer.end('slow'), 300)
  else answer.end(process.env.LABEL ?? String(process.pid))
}).listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`,
}

test('https with a certificate of our own CA, as HTTP/2 and HTTP/1.1; nobody else is given one', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up()
  const { proxy } = await harness.serverStatus()
  const address = `https://shop.localhost:${proxy?.https}/`
  const ca = join(harness.home, 'data/ca/roots.pem')
  expect(await curl('--cacert', ca, address)).toMatchObject({ status: 200, version: '2' })
  expect(await curl('--cacert', ca, '--http1.1', address)).toMatchObject({ status: 200, version: '1.1' })
  expect(await curl('--cacert', ca, '--ipv6', address)).toMatchObject({ status: 200 })
  expect(await curl('--cacert', ca, `https://nobody.localhost:${proxy?.https}/`)).toMatchObject({ status: 0, exit: 35 })
  expect((await curl(address)).exit).toBe(60)
  // Until somebody trusts it, http is as good, and not redirected.
  expect(await curl(`http://shop.localhost:${proxy?.http}/`)).toMatchObject({ status: 200, redirect: '' })
})

test('services are told whom to trust, one by one and together with the rest of the world', async () => {
  await using harness = createHarness()
  const bundle = '[services.web.env]\nSSL_CERT_FILE = "${locald.ca_bundle}"\n'
  const project = harness.project({ ...files, 'locald.toml': files['locald.toml'] + bundle })
  await project.up()
  const variables = (await project.locald('env', 'web', '--json')).json<{
    readonly variables: readonly { readonly name: string; readonly value: string }[]
  }>().variables
  const valueOf = (name: string): string => variables.find((each) => each.name === name)?.value ?? ''
  expect(valueOf('NODE_EXTRA_CA_CERTS')).toBe(join(harness.home, 'data/ca/roots.pem'))
  const { proxy } = await harness.serverStatus()
  for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']) {
    expect(await curl('--cacert', valueOf(name), `https://shop.localhost:${proxy?.https}/`), name).toMatchObject({
      status: 200,
    })
  }
})

test('requests wait for a service that starts, and see the next run of one that restarts', async () => {
  await using harness = createHarness()
  const late = 'command = "sleep 0.5; exec node server.mjs"'
  const project = harness.project({
    ...files,
    'locald.toml': files['locald.toml'].replace('command = "node server.mjs"', late),
  })
  await project.locald('up', '--no-wait')
  const { proxy } = await harness.serverStatus()
  const address = `http://shop.localhost:${proxy?.http}/`
  const first = await curl(address)
  expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^\d+$/) })
  const slow = curl(`${address}slow`)
  const restarted = project.locald('restart', 'web')
  const answers: string[] = []
  while (!answers.some((body) => body !== first.body)) {
    const answer = await curl(address)
    expect(answer).toMatchObject({ status: 200, exit: 0 })
    answers.push(answer.body)
  }
  expect(await slow).toMatchObject({ status: 200, body: 'slow' })
  expect((await restarted).code).toBe(0)
})

test('a daemon that is killed under load refuses nobody, and the next one knows what leads where', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up()
  const { proxy, daemon } = await harness.serverStatus()
  const address = `http://shop.localhost:${proxy?.http}/`
  const over = new AbortController()
  const outcomes: string[] = []
  const clients = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      const { status, exit } = await curl(address)
      outcomes.push(status === 200 ? 'answered' : `${status} ${exit}`)
    }
  })
  let pid = daemon?.pid ?? 0
  for (let kill = 0; kill < 3; kill++) {
    process.kill(pid, 'SIGKILL')
    while (pid === ((await harness.serverStatus()).daemon?.pid ?? pid)) await sleep(20)
    pid = (await harness.serverStatus()).daemon?.pid ?? 0
  }
  over.abort()
  await Promise.all(clients)
  const others = outcomes.filter((outcome) => outcome !== 'answered')
  expect(outcomes.length - others.length).toBeGreaterThan(0)
  // 52, 56: it was under way when the daemon was killed. 7 would be a refusal.
  expect(others.filter((outcome) => !/^0 (?:52|56)$/.test(outcome))).toEqual([])
  expect((await project.service('web')).state).toBe('running')
  expect((await harness.serverStatus()).proxy).toEqual(proxy)
})

test('a keeper that is lost leaves the ports to the next one', async () => {
  await using harness = createHarness()
  const project = harness.project(files)
  await project.up()
  const { proxy, keeper } = await harness.serverStatus()
  // The place of one that is lost within its first second is taken at the next command, and not before.
  const isUp = Date.now()
  await expect.poll(() => Date.now() - isUp, { timeout: 5000 }).toBeGreaterThan(1000)
  process.kill(keeper?.pid ?? 0, 'SIGKILL')
  const answer = await curl('--retry', '3', `http://shop.localhost:${proxy?.http}/`)
  expect(answer.exit).not.toBe(7)
  await project.waitFor('web', ({ state, health }) => state === 'running' && health.status === 'healthy')
  expect((await harness.serverStatus()).proxy).toEqual(proxy)
  expect(await curl(`http://shop.localhost:${proxy?.http}/`)).toMatchObject({ status: 200 })
})

test('what starts on request is started by one', async () => {
  await using harness = createHarness()
  const project = harness.project({ ...files, 'locald.toml': `${files['locald.toml']}start = "on-request"\n` })
  await project.up()
  expect((await project.service('web')).state).toBe('idle')
  const { proxy } = await harness.serverStatus()
  expect(await curl(`http://shop.localhost:${proxy?.http}/`)).toMatchObject({ status: 200 })
  expect((await project.service('web')).state).toBe('running')
})

test('what has failed says why', async () => {
  await using harness = createHarness()
  const command = 'command = "echo no such table: users; exit 3"\nrestart = "never"'
  const project = harness.project({
    ...files,
    'locald.toml': files['locald.toml'].replace('command = "node server.mjs"', command),
  })
  expect((await project.locald('up')).code).toBe(1)
  const { proxy } = await harness.serverStatus()
  const answer = await curl('-H', 'accept: text/html', `http://shop.localhost:${proxy?.http}/`)
  expect(answer.status).toBe(502)
  expect(answer.body).toContain('no such table: users')
  expect(answer.body).toContain('locald up web')
})

test('a site needs no process: it is there with its directory, or when it is built', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'public/index.html': '<h1>As it is</h1>',
    'locald.toml': `[project]
name = "shop"
[services.docs]
type = "site"
path = "public"
[services.app]
type = "site"
path = "dist"
build = "mkdir -p dist && cp src.html dist/index.html"
[services.lost]
type = "site"
path = "nowhere"
[services.failing]
type = "site"
path = "never"
build = "true"
`,
    'src.html': '<h1>Built</h1>',
  })
  const up = await project.locald('up')
  expect(up.code).toBe(1)
  expect(up.stderr + up.stdout).toContain('nowhere')
  const { proxy } = await harness.serverStatus()
  const addressOf = (name: string): string => `http://${name}.shop.localhost:${proxy?.http}`
  for (const [name, title] of [
    ['docs', 'As it is'],
    ['app', 'Built'],
  ] as const) {
    expect(await project.service(name)).toMatchObject({
      type: 'site',
      state: 'running',
      health: { status: 'healthy' },
      pid: null,
      port: null,
      url: addressOf(name),
    })
    expect((await curl(`${addressOf(name)}/`)).body).toContain(`<h1>${title}</h1>`)
  }
  expect((await project.service('lost')).state).toBe('failed')
  expect(await project.service('failing')).toMatchObject({ state: 'failed' })
  // It is as up as any other: for the next daemon, for `up`, and until it is stopped.
  process.kill((await harness.serverStatus()).daemon?.pid ?? 0, 'SIGKILL')
  expect((await curl(`${addressOf('docs')}/`)).body).toContain('As it is')
  project.write('src.html', '<h1>Built again</h1>')
  expect((await project.locald('restart', 'app')).code).toBe(0)
  expect((await curl(`${addressOf('app')}/`)).body).toContain('Built again')
  expect((await project.locald('stop', 'docs')).code).toBe(0)
  expect((await project.service('docs')).state).toBe('stopped')
  expect((await curl(`${addressOf('docs')}/`)).status).toBeGreaterThanOrEqual(500)
})
