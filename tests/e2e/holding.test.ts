// What becomes of requests while a service starts, restarts or has failed.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { proxyClient } from '../support/proxy-client.ts'
import type { ProxyAnswer, ProxyClient } from '../support/proxy-client.ts'

/** Listens once the file `go` is there, and finishes its requests on SIGTERM. */
const patient = `import { existsSync, watch } from 'node:fs'
import { createServer } from 'node:http'
const server = createServer((request, response) => {
  request.resume().on('end', () => setTimeout(() => response.end(request.method + ' ' + request.url), 20))
})
process.on('SIGTERM', () => server.close(() => process.exit(0)))
console.log('waiting for go')
const listen = () => existsSync('go') && !server.listening && server.listen(process.env.PORT, '127.0.0.1')
watch('.', listen)
listen()
`
const toml = '[project]\nname = "shop"\n[services.web]\ncommand = "exec node server.mjs"\nport_discovery = "off"\n'
const host = 'shop.localhost'

/** Resolves when the request was sent; what it resolves with, when it was answered. */
async function sendTo(
  client: ProxyClient,
  ...args: Parameters<ProxyClient['ask']>
): Promise<() => Promise<ProxyAnswer>> {
  const [name, path, options] = args
  return await new Promise((resolve, reject) => {
    const answer = client.ask(name, path, { ...options, onSent: () => resolve(() => answer) })
    answer.catch(reject)
  })
}

test('a request that comes while a service starts waits, and goes through when it is healthy', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': toml, 'server.mjs': patient })
  await project.locald('up', '--no-wait')
  await project.waitFor('web', (s) => s.state === 'starting')
  using client = await proxyClient(harness)
  const get = await sendTo(client, host, '/one?x=1')
  const post = await sendTo(client, host, '/two', { method: 'POST', body: 'data' })
  expect(await project.service('web')).toMatchObject({ state: 'starting' })
  project.write('go', '')
  expect(await get()).toMatchObject({ status: 200, text: 'GET /one?x=1' })
  expect(await post()).toMatchObject({ status: 200, text: 'POST /two' })
})

test('restarting a service that finishes its requests under 200 requests a second fails none', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': toml, 'server.mjs': patient, go: '' })
  await project.up()
  using client = await proxyClient(harness)
  const asked: Promise<ProxyAnswer | Error>[] = []
  const timer = setInterval(() => {
    const method = asked.length % 4 === 0 ? 'POST' : 'GET'
    const body = method === 'POST' ? { body: 'data' } : {}
    asked.push(
      client.ask(host, `/${asked.length}`, { method, ...body }).catch((error: unknown) => new Error(String(error))),
    )
  }, 5)
  let restarts = 0
  try {
    // On a quick machine three restarts are over before a second's worth of requests was asked.
    for (; restarts < 3 || asked.length < 200; restarts++) {
      expect((await project.locald('restart', 'web')).code).toBe(0)
    }
  } finally {
    clearInterval(timer)
  }
  const answers = await Promise.all(asked)
  expect(answers.filter((answer) => answer instanceof Error || answer.status !== 200)).toEqual([])
  expect((await project.service('web')).run).toBe(1 + restarts)
})

test('a request that takes longer than a restart waits for is broken off, and the restart goes on', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${toml}stop_timeout = "100ms"\n`,
    'server.mjs': `import { createServer } from 'node:http'
createServer((request, response) => {
  if (request.url === '/slow') return console.log('slow one')
  response.end('quick')
}).listen(process.env.PORT, '127.0.0.1')
process.on('SIGTERM', () => {})
`,
  })
  await project.up()
  using client = await proxyClient(harness)
  const slow = client.ask(host, '/slow', { method: 'POST' }).catch((error: unknown) => new Error(String(error)))
  await expect.poll(() => project.lines('web')).toEqual(['slow one'])
  expect((await project.locald('restart', 'web')).code).toBe(0)
  expect(await slow, 'it is not sent a second time').toMatchObject({ status: 502 })
  expect(await client.ask(host, '/')).toMatchObject({ status: 200, text: 'quick' })
}, 30_000)

test('of what has failed a program is told exit code, last lines and what to do, in the form it asks for', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${toml}restart = "never"\n`,
    'server.mjs': "console.log('\u001b[31mError: no database\u001b[39m')\nprocess.exit(3)\n",
  })
  await project.locald('up')
  using client = await proxyClient(harness)
  const json = await client.ask(host, '/api', { headers: { accept: 'application/json' } })
  expect(json.status).toBe(502)
  expect(json.headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  const problem: unknown = JSON.parse(json.text)
  expect(problem).toMatchObject({
    type: 'urn:locald:service-failed',
    status: 502,
    service: 'web',
    project: 'shop',
    exit: { code: 3 },
    evidence: 'Error: no database',
    last_lines: { service: 'web', lines: [{ text: 'Error: no database' }] },
  })
  const text = await client.ask(host)
  expect(text.text).toMatch(/^web has failed: Error: no database\n\nExit code: 3\n[^]*locald up web\n$/u)
})
