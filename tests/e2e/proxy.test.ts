// The proxy as part of the whole: what a request meets while services and daemons come and go.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'
import { askOver, webSocketKey } from '../support/websocket-client.ts'

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

/** Says "hello, TEXT" to each text that comes by WebSocket, and tells in a trailer which one came. */
const talkative = {
  ...files,
  'server.mjs': `
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
const server = createServer(async (request, answer) => {
  let length = 0
  for await (const chunk of request) length += chunk.length
  answer.writeHead(200, { trailer: 'x-seen' })
  answer.write('body of ' + length)
  answer.addTrailers({ 'x-seen': request.trailers['x-sum'] ?? 'none' })
  answer.end()
})
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n')
  socket.on('data', (frame) => {
    const text = frame.subarray(6, 6 + (frame[1] & 127)).map((byte, index) => byte ^ frame[2 + (index % 4)])
    const said = Buffer.concat([Buffer.from('hello, '), text])
    socket.write(Buffer.concat([Buffer.from([0x81, said.length]), said]))
  })
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
})
server.listen(Number(process.env.PORT), '127.0.0.1')
`,
}

async function http2Session(harness: Harness): Promise<ClientHttp2Session> {
  const { proxy } = await harness.serverStatus()
  const ca = readFileSync(join(harness.home, 'data/ca/roots.pem'))
  const options = { ca, servername: 'shop.localhost' }
  const session = connectHttp2(`https://127.0.0.1:${proxy?.https}`, options)
  await once(session, 'remoteSettings')
  return session
}

test('WebSockets over HTTP/1.1 and HTTP/2, to the service and back', async () => {
  await using harness = createHarness()
  const project = harness.project(talkative)
  await project.up()
  const { proxy } = await harness.serverStatus()
  const { key, accept } = webSocketKey()
  const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const headers = { ...handshake, host: 'shop.localhost', 'sec-websocket-key': key }
  const asked = request({ host: '127.0.0.1', port: proxy?.http ?? 0, path: '/talk', headers }).end()
  const [answer, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Duplex]
  expect(answer.headers['sec-websocket-accept']).toBe(accept)

  const session = await http2Session(harness)
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':authority': 'shop.localhost',
    ':path': '/talk',
    'sec-websocket-version': '13',
  })
  expect((await once(stream, 'response'))[0]).toMatchObject({ ':status': 200 })

  for (const ask of [askOver(socket), askOver(stream)]) {
    for (const name of ['you', 'whoever you are']) expect(await ask(name)).toBe(`hello, ${name}`)
  }
  socket.destroy()
  stream.close()
  session.close()
})

test('trailers over HTTP/1.1 and HTTP/2, to the service and back', async () => {
  await using harness = createHarness()
  const project = harness.project(talkative)
  await project.up()
  const { proxy } = await harness.serverStatus()
  const headers = { host: 'shop.localhost', te: 'trailers', trailer: 'x-sum' }
  const asked = request({ host: '127.0.0.1', port: proxy?.http ?? 0, method: 'POST', headers })
  asked.write('four')
  asked.addTrailers({ 'x-sum': 'one' })
  const [answer] = (await once(asked.end(), 'response')) as [IncomingMessage]
  expect((await answer.toArray()).join('')).toBe('body of 4')
  expect(answer.trailers).toEqual({ 'x-seen': 'one' })

  const session = await http2Session(harness)
  const stream = session.request(
    { ':method': 'POST', ':path': '/', ':authority': 'shop.localhost', te: 'trailers' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'two' }))
  const trailers = once(stream, 'trailers')
  stream.end('fourteen')
  expect((await stream.toArray()).join('')).toBe('body of 8')
  expect((await trailers)[0]).toMatchObject({ 'x-seen': 'two' })
  session.close()
})
