// Bodies of many gigabytes through the proxy: more than 32 bits can count, and more than the daemon could ever hold.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'

/** Odd, and beyond what 32 bits can count. */
const bytes = 2 ** 32 + 100_000_001
/** Of what is encrypted, which takes longer. */
const fewerBytes = 2_000_000_001
/** What the daemon may grow by at its most, in megabytes. */
const mostGrowth = 150

/** Sends as many bytes as the path says, or counts those that come; holds one piece, whatever the number. */
const service = `import { createServer } from 'node:http'
const piece = Buffer.alloc(1 << 20, 'locald')
createServer((request, response) => {
  if (request.method === 'POST') {
    let count = 0
    request.on('data', ({ length }) => (count += length))
    request.on('end', () => response.end(count + ' of ' + request.headers['content-length']))
    return
  }
  let left = Number(request.url.slice(1))
  response.writeHead(200, { 'content-length': left })
  const more = () => {
    while (left > 0) {
      const length = Math.min(left, piece.length)
      left -= length
      if (!response.write(length === piece.length ? piece : piece.subarray(0, length))) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
}).listen(process.env.PORT, '127.0.0.1')
`
const toml = '[project]\nname = "shop"\n[services.web]\ncommand = ["node", "web.mjs"]\n'

async function countOf(stream: NodeJS.ReadableStream): Promise<number> {
  let count = 0
  stream.on('data', ({ length }: Buffer) => (count += length))
  await once(stream, 'end')
  return count
}

async function send(upload: ClientRequest): Promise<void> {
  const piece = Buffer.alloc(1 << 20, 'client')
  for (let left = bytes; left > 0; left -= piece.length) {
    const isTaken = upload.write(left >= piece.length ? piece : piece.subarray(0, left))
    if (!isTaken) await once(upload, 'drain')
  }
  upload.end()
}

/** VmRSS: now. VmHWM: at its most so far. */
function megabytes(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`${what}:\\s+(\\d+) kB`, 'u').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

async function withShop(
  use: (harness: Harness, ports: { readonly http: number; readonly https: number }) => Promise<void>,
): Promise<void> {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': toml, 'web.mjs': service })
  await project.up()
  const { daemon, proxy } = await harness.serverStatus()
  if (daemon === null || proxy === null || proxy.https === null) throw new Error('There is no proxy')
  const before = megabytes(daemon.pid, 'VmRSS')
  await use(harness, { http: proxy.http, https: proxy.https })
  expect(megabytes(daemon.pid, 'VmHWM') - before).toBeLessThan(mostGrowth)
}

test('a download of more than four gigabytes arrives to the byte', { timeout: 120_000 }, async () => {
  await withShop(async (_harness, { http }) => {
    const headers = { host: `shop.localhost:${http}` }
    const download = request({ host: '127.0.0.1', port: http, path: `/${bytes}`, headers, agent: false }).end()
    const [response] = (await once(download, 'response')) as [IncomingMessage]
    expect(response.headers['content-length']).toBe(String(bytes))
    expect(await countOf(response)).toBe(bytes)
  })
})

test('an upload of more than four gigabytes arrives to the byte', { timeout: 120_000 }, async () => {
  await withShop(async (_harness, { http }) => {
    const headers = { host: `shop.localhost:${http}`, 'content-length': bytes }
    const upload = request({ host: '127.0.0.1', port: http, method: 'POST', headers, agent: false })
    const answered = once(upload, 'response') as Promise<[IncomingMessage]>
    await send(upload)
    const [response] = await answered
    let text = ''
    for await (const chunk of response) text += String(chunk)
    expect(text).toBe(`${bytes} of ${bytes}`)
  })
})

test('a download of two gigabytes over HTTP/2 and TLS arrives to the byte', { timeout: 120_000 }, async () => {
  await withShop(async (harness, { https }) => {
    const ca = readFileSync(join(harness.home, 'data/ca/roots.pem'))
    const session = connect(`https://shop.localhost:${https}`, { ca, host: '127.0.0.1', servername: 'shop.localhost' })
    try {
      session.on('error', () => undefined)
      const stream = session.request({ ':path': `/${fewerBytes}` })
      const [headers] = await once(stream, 'response')
      expect(headers).toMatchObject({ 'content-length': String(fewerBytes) })
      expect(await countOf(stream)).toBe(fewerBytes)
    } finally {
      session.destroy()
    }
  })
})
