// Services that start when somebody needs them, and end when nobody does.
import { once } from 'node:events'
import { get } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { proxyClient } from '../support/proxy-client.ts'

const server = `import { createServer } from 'node:http'
createServer((request, response) => response.end('served')).listen(process.env.PORT, '127.0.0.1')
`

test('an up leaves it idle, one that names it starts it, and so does a service that needs it', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': server,
    'locald.toml': `[services.web]
command = "exec node server.mjs"
[services.docs]
command = "exec node server.mjs"
start = "on-request"
depends_on = ["index"]
[services.index]
command = "exec node server.mjs"
start = "on-request"
`,
  })
  const up = await project.up()
  expect(up.stdout).toMatch(/docs\b.*\bidle/u)
  expect(await project.service('docs')).toMatchObject({ state: 'idle', pid: null, run: 0 })
  expect(await project.service('index')).toMatchObject({ state: 'idle' })
  expect((await project.locald('wait')).code).toBe(0)
  expect((await project.locald('why', 'docs')).stdout).toMatch(/docs is idle: .*first request/u)

  await project.up('docs')
  expect(await project.service('docs')).toMatchObject({ state: 'running', health: { status: 'healthy' } })
  expect(await project.service('index')).toMatchObject({ state: 'running' })

  expect((await project.locald('stop', 'docs')).code).toBe(0)
  expect(await project.service('docs')).toMatchObject({ state: 'stopped' })
  await project.up()
  expect(await project.service('docs')).toMatchObject({ state: 'idle', run: 1 })
  expect((await project.locald('restart', 'docs')).code).toBe(0)
  expect(await project.service('docs')).toMatchObject({ state: 'running', run: 2 })
})

test('what is idle is still so for the next daemon, and is stopped like anything else', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': server,
    'locald.toml': `[services.docs]
command = "exec node server.mjs"
start = "on-request"
`,
  })
  await project.up()
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  expect(await project.service('docs')).toMatchObject({ state: 'idle' })
  expect((await project.locald('stop')).code).toBe(0)
  expect(await project.service('docs')).toMatchObject({ state: 'stopped' })
})

test('a fixed port that somebody has keeps an up from nothing that stays idle; whoever needs it is told', async () => {
  await using harness = createHarness()
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  const project = harness.project({
    'server.mjs': server,
    'locald.toml': `[project]
name = "shop"
[services.web]
command = "exec node server.mjs"
[services.docs]
command = "exec node server.mjs"
start = "on-request"
port = ${port}
[services.guide]
command = "exec node server.mjs"
start = "on-request"
depends_on = ["docs"]
`,
  })
  const told = `port ${port} of "docs" is held by pid ${process.pid}`
  try {
    await project.up()
    expect(await project.service('docs')).toMatchObject({ state: 'idle' })
    for (const name of ['docs', 'guide']) {
      expect(await project.locald('up', name)).toMatchObject({ code: 1, stderr: expect.stringContaining(told) })
    }

    using client = await proxyClient(harness)
    const refused = await client.ask('docs.shop.localhost')
    expect(refused).toMatchObject({ status: 502 })
    expect(refused.text).toContain(`port ${port} is held by pid ${process.pid}`)
    expect(await project.service('docs')).toMatchObject({ state: 'failed' })
    expect((await project.locald('why', 'docs')).stdout).toContain(`port ${port} is held by pid ${process.pid}`)
    await project.up()
    expect(await project.service('docs')).toMatchObject({ state: 'idle' })
  } finally {
    holder.close()
  }
  using client = await proxyClient(harness)
  expect(await client.ask('docs.shop.localhost')).toMatchObject({ status: 200, text: 'served' })
})

const onRequest = `[project]
name = "shop"
[services.web]
command = "exec node server.mjs"
start = "on-request"
idle_timeout = "1s"
depends_on = ["db"]
[services.db]
command = "exec node server.mjs"
start = "on-request"
idle_timeout = "1s"
`

test('the first request starts it with what it needs; unused, both end; the next request starts them again', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'server.mjs': server, 'locald.toml': onRequest })
  await project.up()
  using client = await proxyClient(harness)
  for (const run of [1, 2]) {
    expect(await client.ask('shop.localhost')).toMatchObject({ status: 200, text: 'served' })
    expect(await project.service('db')).toMatchObject({ state: 'running', run })
    await project.waitFor('web', (s) => s.state === 'idle' && s.run === run)
    await project.waitFor('db', (s) => s.state === 'idle' && s.run === run)
  }
})

test.each(['event stream', 'WebSocket'])('an open %s is a request under way', async (kind) => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': `import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
}).on('upgrade', ({ headers }, socket) => {
  socket.on('end', () => socket.end()).resume()
  const accept = createHash('sha1').update(headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n')
}).listen(process.env.PORT, '127.0.0.1')
`,
    'locald.toml': `${onRequest}[services.other]
command = "exec node server.mjs"
start = "on-request"
idle_timeout = "2s"
`,
  })
  await project.up()
  using client = await proxyClient(harness)
  const handshake = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const open = async (host: string): Promise<{ readonly close: () => void }> => {
    const headers = { host, ...(kind === 'WebSocket' ? handshake : {}) }
    const stream = get({ host: '127.0.0.1', port: client.port, headers })
    stream.on('error', () => undefined)
    const { socket } = await new Promise<{ readonly socket: Socket }>((resolve) => {
      stream.on('response', resolve).on('upgrade', (_response, upgraded: Socket) => resolve({ socket: upgraded }))
    })
    return { close: () => socket.destroy() }
  }
  const kept = await open('shop.localhost')
  const other = await open('other.shop.localhost')
  other.close()
  // By then the time of the first would long be over.
  await project.waitFor('other', (s) => s.state === 'idle' && s.run === 1)
  expect(await project.service('web')).toMatchObject({ state: 'running' })
  kept.close()
  await project.waitFor('web', (s) => s.state === 'idle')
})

test('what has failed is not started by requests until somebody says so', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': "console.log('no luck')\nprocess.exit(1)\n",
    'locald.toml':
      '[project]\nname = "shop"\n[services.web]\ncommand = "exec node server.mjs"\nstart = "on-request"\nrestart = "never"\n',
  })
  await project.up()
  using client = await proxyClient(harness)
  expect((await client.ask('shop.localhost')).status).toBe(502)
  expect((await client.ask('shop.localhost')).text).toContain('no luck')
  expect(await project.service('web')).toMatchObject({ state: 'failed', run: 1 })
  project.write('server.mjs', server)
  await project.up()
  expect(await client.ask('shop.localhost')).toMatchObject({ status: 200, text: 'served' })
})

test('a request that a page of another site made starts nothing', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'server.mjs': server, 'locald.toml': onRequest })
  await project.up()
  using client = await proxyClient(harness)
  const foreign = [
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    { origin: 'https://evil.example' },
  ]
  for (const headers of foreign) {
    const answer = await client.ask('shop.localhost', '/', { headers })
    expect(answer).toMatchObject({ status: 503, headers: { 'x-locald-notice': 'started-by-own-site-only' } })
  }
  expect(await project.service('web')).toMatchObject({ state: 'idle', run: 0 })
})
