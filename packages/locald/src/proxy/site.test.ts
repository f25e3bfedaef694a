// Files that the proxy serves itself.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fetchBy, openHttp2 } from './testing/clients.ts'
import { openProxy, rawClient, sendRaw, tableOf, target } from './testing/proxy-rig.ts'
import type { ProxyRig } from './testing/proxy-rig.ts'

interface SiteRig extends AsyncDisposable {
  readonly rig: ProxyRig
  readonly directory: string
}

/** A site with some files, and a secret beside it. */
async function openSite(liveReload = false): Promise<SiteRig> {
  const parent = await mkdtemp(join(tmpdir(), 'locald-site-'))
  const directory = join(parent, 'site')
  await mkdir(join(directory, 'docs'), { recursive: true })
  const files = {
    'site/index.html': '<body>home</body>',
    'site/about.html': 'about',
    'site/docs/index.html': 'docs',
    'site/a.css': 'a { color: red }',
    'site/a b.txt': 'spaces',
    'site/.env': 'hidden',
    'site/404.html': 'not here',
    'secret.txt': 'secret',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(parent, name), text)
  await symlink(join(parent, 'secret.txt'), join(directory, 'link.txt'))
  await symlink(parent, join(directory, 'up'))
  await symlink('a.css', join(directory, 'b.css'))
  const rig = await openProxy()
  rig.proxy.receive({ type: 'routes', table: tableOf([target([], { site: { directory, liveReload } })]) })
  return {
    rig,
    directory,
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]()
      await rm(parent, { recursive: true, force: true })
    },
  }
}

describe('Proxy', () => {
  it.each([
    ['/', 200, 'text/html; charset=utf-8', '<body>home</body>'],
    ['/about', 200, 'text/html; charset=utf-8', 'about'],
    ['/docs/', 200, 'text/html; charset=utf-8', 'docs'],
    ['/a.css?v=1', 200, 'text/css; charset=utf-8', 'a { color: red }'],
    ['/b.css', 200, 'text/css; charset=utf-8', 'a { color: red }'],
    ['/a%20b.txt', 200, 'text/plain; charset=utf-8', 'spaces'],
    ['/none', 404, 'text/html; charset=utf-8', 'not here'],
  ])('serves %s of a site', async (path, status, type, text) => {
    await using site = await openSite()
    const { response, body } = await fetchBy(site.rig, path)
    expect([response.statusCode, response.headers['content-type'], body]).toEqual([status, type, text])
    using client = await openHttp2(site.rig)
    expect(await client.fetch({ ':path': path })).toMatchObject({ status, body: text })
  })

  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/docs/../../secret.txt',
    '/..%5csecret.txt',
    '//../secret.txt',
    '/link.txt',
    '/up/secret.txt',
    '/.env',
    '/%2eenv',
    '/a.css%00.txt',
    '/%zz',
    '/a.css/',
  ])('serves nothing at %s', async (path) => {
    await using site = await openSite()
    const answer = await sendRaw(
      site.rig.httpPort,
      `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 404 /u)
    expect(answer).not.toMatch(/secret|hidden/u)
  })

  it('sends parts of files, and nothing when the client has it already', async () => {
    await using site = await openSite()
    const part = await fetchBy(site.rig, '/a.css', { headers: { range: 'bytes=2-6' } })
    expect([part.response.statusCode, part.response.headers['content-range'], part.body]).toEqual([
      206,
      'bytes 2-6/16',
      '{ col',
    ])
    const { etag = '' } = part.response.headers
    const again = await fetchBy(site.rig, '/a.css', { headers: { 'if-none-match': etag } })
    expect([again.response.statusCode, again.body]).toEqual([304, ''])
    const head = await fetchBy(site.rig, '/a.css', { method: 'HEAD' })
    expect([head.response.headers['content-length'], head.body]).toEqual(['16', ''])
    expect((await fetchBy(site.rig, '/a.css', { method: 'POST' })).response.statusCode).toBe(405)
  })

  it('sends a page with the script only to whom it is new, and a very large one like any other file', async () => {
    await using site = await openSite(true)
    const first = await fetchBy(site.rig, '/')
    const { etag = '' } = first.response.headers
    expect(etag).toMatch(/^"/u)
    const again = await fetchBy(site.rig, '/', { headers: { 'if-none-match': `W/"other", W/${etag}` } })
    expect([again.response.statusCode, again.body]).toEqual([304, ''])
    await writeFile(join(site.directory, 'index.html'), '<body>changed</body>')
    const changed = await fetchBy(site.rig, '/', { headers: { 'if-none-match': etag } })
    expect([changed.response.statusCode, changed.body.includes('changed')]).toEqual([200, true])

    const large = `<body>${'x'.repeat(9 * 1024 * 1024)}</body>`
    for (const name of ['large.html', '404.html']) await writeFile(join(site.directory, name), large)
    const part = await fetchBy(site.rig, '/large', { headers: { range: 'bytes=0-5' } })
    expect([part.response.statusCode, part.body]).toEqual([206, '<body>'])
    const whole = await fetchBy(site.rig, '/large')
    expect([whole.body.length, whole.response.headers.etag]).toEqual([large.length, expect.stringMatching(/^W?\/?"/u)])
    const none = await fetchBy(site.rig, '/none')
    expect([none.response.statusCode, none.body.length]).toEqual([404, large.length])
    const head = await fetchBy(site.rig, '/none', { method: 'HEAD' })
    expect([head.response.statusCode, head.body]).toEqual([404, ''])
  })

  it('names a directory with a slash at its end, and never another host', async () => {
    await using site = await openSite()
    const { response } = await fetchBy(site.rig, '/docs?x=1')
    expect([response.statusCode, response.headers.location]).toEqual([308, './docs/?x=1'])
    expect((await fetchBy(site.rig, '//evil.example/..')).response.headers.location).toBeUndefined()
  })

  it('reloads pages when a file changes', async () => {
    await using site = await openSite(true)
    expect((await fetchBy(site.rig, '/')).body).toBe(
      '<body>home<script src="/.locald/reload.js" async></script></body>',
    )
    expect((await fetchBy(site.rig, '/.locald/reload.js')).body).toContain('EventSource')
    using client = rawClient(site.rig.httpPort)
    client.write('GET /.locald/reload?path=%2F HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    await client.waitFor(/text\/event-stream/u)
    // Watching begins with the first page that wants to know: until then a change may go unseen.
    const writing = setInterval(() => void writeFile(join(site.directory, 'a.css'), String(Math.random())), 100)
    await client.waitFor(/event: reload\n/u)
    clearInterval(writing)
  })

  it('reloads pages when their site was built anew', async () => {
    await using site = await openSite(true)
    using client = rawClient(site.rig.httpPort)
    client.write('GET /.locald/reload?path=%2F HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    await client.waitFor(/text\/event-stream/u)
    site.rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    expect(client.received()).not.toContain('event: reload')
    const built = target([], { site: { directory: site.directory, liveReload: true } })
    site.rig.proxy.receive({ type: 'routes', table: tableOf([built]) })
    await client.waitFor(/event: reload\n/u)
    const writing = setInterval(() => void writeFile(join(site.directory, 'a.css'), String(Math.random())), 100)
    await client.waitFor(/event: reload\n.*event: reload\n/su)
    clearInterval(writing)
  })
})
