// What somebody sees who looks at services in a real browser.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, visit } from '../support/chromium.ts'
import { createHarness } from '../support/harness.ts'
import type { Project } from '../support/harness.ts'
import { proxyClient } from '../support/proxy-client.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
}, 30_000)
afterAll(async () => {
  await browser.close()
})

/** A page that shares nothing with any other. Everything has to come to pass within 20 s. */
async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await browser.newPage(options)
  page.setDefaultTimeout(20_000)
  return page
}

/** An app that listens once the file `go` is there. */
const app = `import { existsSync, watch } from 'node:fs'
import { createServer } from 'node:http'
const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/html')
  response.end('<title>App</title><h1>The app at ' + request.url + '</h1>')
})
console.log('\\u001b[33mcompiling <b>routes</b>\\u001b[39m')
const listen = () => existsSync('go') && !server.listening && server.listen(process.env.PORT, '127.0.0.1')
watch('.', listen)
watch('.', () => existsSync('more') && console.log('compiling styles'))
listen()
`
const toml = `[project]
name = "shop"
[services.web]
command = "exec node app.mjs"
`

test.each([
  ['with scripts', true],
  ['without scripts', false],
])(
  'the starting page shows what goes on, and turns into the app by itself, %s',
  async (_name, javaScriptEnabled) => {
    await using harness = createHarness()
    const project = harness.project({ 'locald.toml': toml, 'app.mjs': app })
    await project.locald('up', '--no-wait')
    using client = await proxyClient(harness)
    const page = await newPage({ javaScriptEnabled })
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (message) => {
      // That the page itself is a 503 is told as an error, too.
      if (message.type() === 'error' && !/503/u.test(message.text())) faults.push(message.text())
    })
    const response = await visit(page, client.url('shop.localhost', '/cart?item=1'))
    expect(response?.status()).toBe(503)
    expect(await page.title()).toBe('web is starting · shop')
    await page.locator('pre', { hasText: 'compiling <b>routes</b>' }).waitFor()
    expect(await page.locator('pre .f3').count()).toBe(1)
    await page.evaluate(() => Reflect.set(globalThis, 'kept', 'yes'))
    project.write('more', '')
    await page.locator('pre', { hasText: 'compiling styles' }).waitFor()
    const wasKept = await page.evaluate(() => Reflect.get(globalThis, 'kept') === 'yes')
    expect(wasKept, 'line by line where scripts run, else by loading it again').toBe(javaScriptEnabled)
    project.write('go', '')
    await page.locator('h1', { hasText: 'The app at /cart?item=1' }).waitFor()
    expect(faults).toEqual([])
  },
  60_000,
)

test('the failure page shows exit code, last lines and the fix, and turns into the app once it is mended', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${toml}restart = "never"\n`,
    'app.mjs': "console.error('Error: DATABASE_URL is not set')\nprocess.exit(7)\n",
    go: '',
  })
  await project.locald('up')
  using client = await proxyClient(harness)
  const page = await newPage()
  const response = await visit(page, client.url('shop.localhost'))
  expect(response?.status()).toBe(502)
  expect(await page.title()).toBe('web has failed · shop')
  expect(await page.locator('dl').innerText()).toMatch(/Exit code\s+7/u)
  expect(await page.locator('pre').innerText()).toContain('Error: DATABASE_URL is not set')
  expect(await page.locator('code').allInnerTexts()).toContain('locald up web')
  project.write('app.mjs', app)
  await project.up()
  await page.locator('h1', { hasText: 'The app at /' }).waitFor()
}, 60_000)

test('what listens elsewhere is said to listen there', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${toml}port_discovery = "off"\nstart_timeout = "1s"\n`,
    'app.mjs': "import { createServer } from 'node:http'\ncreateServer().listen(0, '127.0.0.1')\n",
  })
  await project.locald('up')
  using client = await proxyClient(harness)
  const page = await newPage()
  await visit(page, client.url('shop.localhost'))
  expect(await page.title()).toBe('web is not ready · shop')
  expect(await page.locator('dl').innerText()).toMatch(/Expected on port\s+\d+\s+Listens on\s+\d+/u)
  await page.locator('li', { hasText: /Set port = \d+/u }).waitFor()
}, 60_000)

test('a page of another site starts nothing; the address bar does', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `${toml}start = "on-request"\n`,
    'app.mjs': app,
    go: '',
  })
  await project.up()
  using client = await proxyClient(harness)
  const url = client.url('shop.localhost')
  const other = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<a href="${url}">link</a><img src="${url}img"><script>fetch('${url}x', { mode: 'no-cors' })</script>`)
  }).listen(0, '127.0.0.1')
  try {
    const page = await newPage()
    const asked = new Set<string>()
    page.on('requestfinished', (request) => asked.add(request.url()))
    page.on('requestfailed', (request) => asked.add(request.url()))
    await visit(page, `http://127.0.0.1:${(other.address() as AddressInfo).port}/`)
    await page.waitForLoadState('networkidle')
    await page.click('a')
    await page.locator('h1', { hasText: 'web is not running' }).waitFor()
    expect([...asked]).toEqual(expect.arrayContaining([url, `${url}img`, `${url}x`]))
    expect(await project.service('web')).toMatchObject({ state: 'idle', run: 0 })

    await visit(page, url)
    await page.locator('h1', { hasText: 'The app at /' }).waitFor()
  } finally {
    other.close()
    other.closeAllConnections()
  }
}, 60_000)

const vite = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url))
const viteFiles = {
  'locald.toml': `[project]
name = "shop"
[services.web]
command = "exec node ${vite} --port $PORT --strictPort --host 127.0.0.1"
start = "on-request"
`,
  'package.json': '{ "type": "module" }',
  'index.html': '<!doctype html><title>Vite</title><p id="text"></p><script type="module" src="/main.js"></script>',
  'main.js': `import { text } from './text.js'
const show = (text) => { document.querySelector('#text').textContent = text }
show(text)
if (import.meta.hot) import.meta.hot.accept('./text.js', (module) => show(module.text))
`,
  'text.js': "export const text = 'first'\n",
}

/** Vite tells it to the console once its WebSocket is open. Resolves with where that led to. */
async function replacesModule(page: Page, project: Project, url: string): Promise<string> {
  const connected = page.waitForEvent('console', (message) => message.text().includes('[vite] connected'))
  const socket = page.waitForEvent('websocket')
  await visit(page, url)
  await page.locator('#text', { hasText: 'first' }).waitFor()
  await connected
  await page.evaluate(() => Reflect.set(globalThis, 'kept', 'yes'))
  project.write('text.js', "export const text = 'second'\n")
  await page.locator('#text', { hasText: 'second' }).waitFor()
  expect(await page.evaluate(() => Reflect.get(globalThis, 'kept'))).toBe('yes')
  return (await socket).url()
}

test('a Vite app: the starting page turns into it, and a changed module replaces the old one without a reload', async () => {
  await using harness = createHarness()
  const project = harness.project(viteFiles)
  await project.up()
  using client = await proxyClient(harness)
  expect(await replacesModule(await newPage(), project, client.url('shop.localhost'))).toMatch(/^ws:/u)
}, 60_000)

test.runIf(existsSync('/usr/bin/certutil'))(
  'a Vite app at a trusted address: a changed module replaces the old one without a reload, over HTTP/2 and TLS',
  async () => {
    await using harness = createHarness()
    const database = join(harness.env['HOME'] ?? '', '.pki/nssdb')
    mkdirSync(database, { recursive: true })
    execFileSync('certutil', ['-N', '-d', `sql:${database}`, '--empty-password'])
    const project = harness.project(viteFiles)
    await project.up()
    const trusted = await project.locald('trust', '--browsers-only')
    expect(trusted.code, trusted.stdout).toBe(0)
    const { url } = await project.service('web')
    expect(url).toMatch(/^https:/u)
    const ownBrowser = await launchChromium(harness.env)
    try {
      const page = await ownBrowser.newPage()
      page.setDefaultTimeout(20_000)
      const socketUrl = await replacesModule(page, project, url ?? '')
      expect(socketUrl).toMatch(/^wss:\/\/shop\.localhost/u)
      const protocol = await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
      expect(protocol).toBe('h2')
    } finally {
      await ownBrowser.close()
    }
  },
  90_000,
)
