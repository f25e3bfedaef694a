// Host names from one end to the other: who has which, in worktrees and when two projects want the same.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { NameEntry, UrlAnswer } from '@locald/protocol'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'

const server = `
import { createServer } from 'node:http'
const { LOCALD_SERVICE, LOCALD_PROJECT, LOCALD_URL, PORT, LABEL } = process.env
createServer((request, answer) => answer.end([LABEL ?? LOCALD_PROJECT, LOCALD_SERVICE, request.url, LOCALD_URL].join(' '))).listen(Number(PORT), '127.0.0.1')
`
const service = (name: string): string => `[services.${name}]\ncommand = "node server.mjs"\n`
const shop = { 'server.mjs': server, 'locald.toml': `[project]\nname = "shop"\n${service('web')}${service('api')}` }

const portOf = async (harness: Harness): Promise<number> => (await harness.serverStatus()).proxy?.http ?? 0

test('each service answers at its own name, says so of itself, and paths lead to others', async () => {
  await using harness = createHarness()
  const routes = '[routes]\n"/api" = "api"\n"/v2" = { service = "api", strip_prefix = true }\n'
  const project = harness.project({
    ...shop,
    'locald.toml':
      shop['locald.toml'].replace('[services.api]', 'domains = ["*.shop.localhost"]\n[services.api]') + routes,
  })
  const up = await project.up()
  const port = await portOf(harness)
  const [web, api] = ['shop', 'api.shop'].map((name) => `http://${name}.localhost:${port}`)
  expect((await project.status()).services.map(({ url }) => url)).toEqual([web, api])
  expect(up.stderr).toContain(`Open  ${web}  ${api}`)
  expect((await curl(`${web}/x?y=1`)).body).toBe(`shop web /x?y=1 ${web}`)
  expect((await curl(`${api}/`)).body).toBe(`shop api / ${api}`)
  expect((await curl(`${web}/api/x`)).body).toBe(`shop api /api/x ${api}`)
  expect((await curl(`${web}/v2/x`)).body).toBe(`shop api /x ${api}`)
  expect((await curl(`${web}/apis`)).body).toBe(`shop web /apis ${web}`)
  expect((await curl(`http://tenant.shop.localhost:${port}/`)).body).toMatch(/^shop web/)
  const unknown = await curl(`http://nobody.localhost:${port}/`)
  expect(unknown.status).toBeGreaterThanOrEqual(400)
  expect(unknown.body).not.toContain('shop')
})

test('url prints the address that works, also for scripts; without a daemon it says that nothing is up', async () => {
  await using harness = createHarness()
  const project = harness.project({
    ...shop,
    'locald.toml': `${shop['locald.toml']}[services.jobs]\ntype = "worker"\ncommand = "sleep 1000"\n`,
  })
  const refused = { code: 1, stdout: '', stderr: expect.stringContaining('locald up') }
  expect(await project.locald('url', 'web')).toMatchObject(refused)
  await harness.locald(['server', 'start'])
  expect(await project.locald('url', 'web')).toMatchObject(refused)
  await project.up()
  const port = await portOf(harness)
  const { port: direct } = await project.service('api')
  expect((await project.locald('url', 'api', '--json')).json<UrlAnswer>()).toEqual({
    url: `http://api.shop.localhost:${port}`,
    direct: `http://127.0.0.1:${direct}`,
    ca: join(harness.home, 'data/ca/roots.pem'),
  })
  expect((await project.locald('url')).stdout).toBe(`http://shop.localhost:${port}\n`)
  expect(await project.locald('url', 'jobs')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('listens nowhere'),
  })
  expect((await project.locald('url', 'nobody')).code).toBe(4)
})

test('open gives the address to the browser once the service is healthy, and prints it where there is none', async () => {
  await using harness = createHarness()
  const project = harness.project(shop)
  mkdirSync(join(project.directory, 'bin'))
  const browser = join(project.directory, 'bin/browser')
  writeFileSync(browser, `#!/bin/sh\necho "$@" > '${project.directory}/opened'\n`)
  chmodSync(browser, 0o755)
  expect((await project.locald('open')).code).toBe(1)
  await project.locald('up', '--no-wait')
  const opened = await harness.locald(['open'], { cwd: project.directory, env: { BROWSER: `${browser} --new` } })
  const address = `http://shop.localhost:${await portOf(harness)}`
  expect(opened).toMatchObject({ code: 0, stdout: '' })
  expect(readFileSync(join(project.directory, 'opened'), 'utf8')).toBe(`--new ${address}\n`)
  expect((await project.locald('open', 'api')).stdout).toBe(`${address.replace('shop', 'api.shop')}\n`)
  await project.locald('stop', 'api')
  expect(await project.locald('open', 'api')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('locald up api'),
  })
})

test('two projects that want one name: the second is told who has it, and has it when the first is stopped', async () => {
  await using harness = createHarness()
  const [one, two] = ['one', 'two'].map((label) =>
    harness.project({ ...shop, 'locald.toml': `${shop['locald.toml']}[env]\nLABEL = "${label}"\n` }, label),
  ) as [Project, Project]
  await one.up()
  const address = `http://shop.localhost:${await portOf(harness)}`
  const up = await two.up()
  expect(up.stderr).toContain(`shop.localhost`)
  expect(up.stderr).toContain(`"shop" in "${one.directory}"`)
  const { port, url } = await two.service('web')
  expect(url).toBe(`http://127.0.0.1:${port}`)
  expect((await two.status()).warnings).toEqual([expect.stringContaining(one.directory)])
  expect((await one.status()).warnings).toEqual([])
  expect((await curl(address)).body).toMatch(/^one web/)
  // Neither another \`up\` nor another daemon changes who has it.
  await one.up()
  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGKILL')
  expect((await curl(address)).body).toMatch(/^one web/)
  expect((await two.service('web')).url).toBe(`http://127.0.0.1:${port}`)

  await one.locald('stop')
  expect(await two.waitFor('web', (web) => web.url === address)).toMatchObject({ port })
  expect((await two.status()).warnings).toEqual([])
  expect((await curl(address)).body).toMatch(/^two web/)
  await one.up()
  expect((await one.service('web')).url).not.toBe(address)
})

test('a git worktree is a project of its own, without a file being edited', async () => {
  await using harness = createHarness()
  const main = harness.project({ ...shop, 'locald.toml': `${service('web')}${service('api')}` }, 'store')
  const git = (...args: readonly string[]): void => {
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.test', ...args], {
      cwd: main.directory,
      stdio: 'pipe',
    })
  }
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('commit', '-q', '-m', 'one')
  const directory = join(dirname(main.directory), 'elsewhere')
  git('worktree', 'add', '-q', directory, '-b', 'feat/New_UI')
  const inWorktree = async (...args: readonly string[]) => await harness.locald(args, { cwd: directory })

  await main.up()
  expect((await inWorktree('check')).stdout).toContain('feat-new-ui-1bfe06.store.localhost')
  expect(await inWorktree('up')).toMatchObject({ code: 0 })
  const port = await portOf(harness)
  const names = { main: `http://store.localhost:${port}`, branch: `http://feat-new-ui-1bfe06.store.localhost:${port}` }
  const status = (await inWorktree('status', '--json')).json<Awaited<ReturnType<Project['status']>>>()
  expect(status).toMatchObject({ project: 'store', root: directory, warnings: [] })
  expect(status.services.map(({ url }) => url)).toEqual([names.branch, names.branch.replace('//', '//api.')])
  const others = await main.status()
  expect(status.id).not.toBe(others.id)
  const ports = [...status.services, ...others.services].map((each) => each.port)
  expect(new Set(ports).size).toBe(4)
  expect((await curl(names.main)).body).toBe(`store web / ${names.main}`)
  expect((await curl(names.branch)).body).toBe(`store web / ${names.branch}`)

  // What is stopped in one goes on in the other.
  expect(await inWorktree('stop')).toMatchObject({ code: 0 })
  expect((await curl(names.main)).status).toBe(200)
  expect((await curl(names.branch)).status).toBeGreaterThanOrEqual(500)
  expect((await inWorktree('logs', 'web')).code).toBe(0)
})

test('names below other suffixes lead here only once this machine knows them, and are listed', async () => {
  await using harness = createHarness()
  const toml = `[project]\nname = "shop"\ndomain = "shop.invalid"\ndomains = ["shop.localhost"]\n${service('web')}${service('api')}`
  const project = harness.project({ ...shop, 'locald.toml': toml })
  await project.up()
  const port = await portOf(harness)
  expect((await project.service('web')).url).toBe(`http://shop.localhost:${port}`)
  const address = `http://shop.invalid:${port}`
  expect((await curl('--resolve', `shop.invalid:${port}:127.0.0.1`, address)).body).toMatch(/^shop web \//)
  const socket = join(harness.home, 'run/api.sock')
  const { body } = await curl('--unix-socket', socket, 'http://locald/v1/names')
  const { names } = JSON.parse(body) as { readonly names: readonly NameEntry[] }
  expect(names.map(({ host, service: of, leads_here: here }) => `${host} ${of} ${here}`)).toEqual([
    'api.shop.invalid api false',
    'api.shop.localhost api true',
    'shop.invalid web false',
    'shop.localhost web true',
  ])
})
