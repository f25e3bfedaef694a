import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AliasEntry } from '@locald/protocol'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'

test('an alias leads to a port, also after the daemon was replaced, until it is removed', async () => {
  await using harness = createHarness()
  const server = createServer((request, response) => response.end(`hello ${request.headers.host}`))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo

  const made = (await harness.locald(['alias', 'Grafana', String(port), '--json'])).json<AliasEntry>()
  expect(made).toEqual({
    host: 'grafana.localhost',
    port,
    url: expect.stringMatching(/^http:\/\/grafana\.localhost:\d+$/u),
    project: null,
  })
  const url = made.url ?? ''
  expect(await curl(url)).toMatchObject({ status: 200, body: `hello ${new URL(url).host}` })
  expect((await harness.locald(['alias', '--json'])).json()).toEqual({ aliases: [made] })
  expect((await harness.locald(['alias'])).stdout).toMatch(/^NAME +PORT +ADDRESS\ngrafana\.localhost +\d+ +http/u)

  await harness.locald(['server', 'restart'])
  expect(await curl(url)).toMatchObject({ status: 200, body: `hello ${new URL(url).host}` })

  expect((await harness.locald(['alias', 'grafana', '--remove'])).code).toBe(0)
  expect((await curl(url)).status).toBe(421)
  expect((await harness.locald(['alias', 'grafana', '--remove'])).code).toBe(4)
  expect((await harness.locald(['alias', '--remove'])).code).toBe(2)
  server.close()
  server.closeAllConnections()
})

test('what cannot be an alias is refused with what can', async () => {
  await using harness = createHarness()
  for (const [args, words] of [
    [['alias', 'grafana'], '"locald alias grafana" needs a port'],
    [['alias', 'grafana', '70000'], '"70000" is not a port'],
    [['alias', 'a b', '3000'], 'it is not the name of a host'],
    [['alias', 'locald', '3000'], 'it belongs to locald itself'],
  ] as const) {
    const result = await harness.locald(args)
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
  }
  expect((await harness.locald(['alias'])).stdout).toContain('There are no aliases')
})

test('a project that has the name goes first', async () => {
  await using harness = createHarness()
  const web = `node -e "require('http').createServer((q, r) => r.end('the project')).listen(process.env.PORT)"`
  const project = harness.project({ Procfile: `web: ${web}\n` }, 'shop')
  await project.up()
  const made = await project.locald('alias', 'shop', '9')
  expect(made.stderr).toContain('shop.localhost leads to the project "shop"')
  const { url } = await project.service('web')
  expect(await curl(url ?? '')).toMatchObject({ status: 200, body: 'the project' })
  const entries = (await harness.locald(['alias', '--json'])).json<{ aliases: readonly AliasEntry[] }>().aliases
  expect(entries).toMatchObject([{ host: 'shop.localhost', url: null, project: 'shop' }])
})

test('a name that this machine does not know has no address, and the way to one is told', async () => {
  await using harness = createHarness()
  const { stdout, stderr } = await harness.locald(['alias', 'grafana.shop.test', '3000'])
  expect(stdout).toBe('grafana.shop.test\n')
  expect(stderr).toContain('hint: Tell it: locald admin sync-hosts')
})

test('the hosts file gets the names of aliases', async () => {
  await using harness = createHarness()
  await harness.locald(['alias', 'grafana.shop.test', '3000'])
  const project = harness.project({ hosts: '127.0.0.1 localhost\n' })
  const { stderr } = await project.locald('admin', 'sync-hosts', '--hosts-file', 'hosts')
  expect(stderr).toContain('+ grafana.shop.test\n')
  expect(project.read('hosts')).toContain('127.0.0.1\tgrafana.shop.test\n::1\tgrafana.shop.test\n')
})
