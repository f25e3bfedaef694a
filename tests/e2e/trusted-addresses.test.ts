// From the first `up` to the padlock: addresses are http, `locald trust`, and they are https, for a browser too.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chromiumProgram, titleOf } from '../support/chromium.ts'
import { createHarness } from '../support/harness.ts'
import { proxyClient } from '../support/proxy-client.ts'

const canRun = chromiumProgram !== null && existsSync('/usr/bin/certutil')
const page = `require('node:http').createServer((request, response) => {
  response.setHeader('content-type', 'text/html')
  response.end('<title>' + request.headers['x-forwarded-proto'] + '</title>')
}).listen(process.env.PORT, '127.0.0.1')`

test.runIf(canRun)(
  'addresses become https for everybody once trust was verified, and http again without it',
  async () => {
    await using harness = createHarness()
    const database = join(harness.env['HOME'] ?? '', '.pki/nssdb')
    mkdirSync(database, { recursive: true })
    execFileSync('certutil', ['-N', '-d', `sql:${database}`, '--empty-password'])
    const project = harness.project(
      { 'locald.toml': '[services.web]\ncommand = "node web.cjs"\n', 'web.cjs': page },
      'shop',
    )
    await project.up()
    const before = (await project.service('web')).url ?? ''
    expect(before).toMatch(/^http:\/\/shop\.localhost:\d+$/u)
    expect(await titleOf(before, harness.env)).toBe('http')

    const trusted = await project.locald('trust', '--browsers-only')
    expect(trusted.code, trusted.stdout).toBe(0)
    const after = (await project.service('web')).url ?? ''
    expect(after).toMatch(/^https:\/\/shop\.localhost:\d+$/u)
    expect(await titleOf(after, harness.env)).toBe('https')
    expect(await titleOf(before, harness.env)).toBe('https') // redirected

    await project.locald('trust', '--uninstall')
    expect((await project.service('web')).url).toBe(before)
  },
  90_000,
)

test.runIf(existsSync('/usr/bin/certutil'))(
  'a suffix that is not trusted yet leaves the addresses below the others as they are',
  async () => {
    await using harness = createHarness()
    const database = join(harness.env['HOME'] ?? '', '.pki/nssdb')
    mkdirSync(database, { recursive: true })
    execFileSync('certutil', ['-N', '-d', `sql:${database}`, '--empty-password'])
    const services = '[services.web]\ncommand = "node web.cjs"\n'
    const shop = harness.project({ 'locald.toml': services, 'web.cjs': page }, 'shop')
    await shop.up()
    expect((await shop.locald('trust', '--browsers-only')).code).toBe(0)
    const { url } = await shop.service('web')
    expect(url).toMatch(/^https:\/\/shop\.localhost:\d+$/u)

    const lab = harness.project(
      { 'locald.toml': `[project]\ndomain = "lab.test"\n${services}`, 'web.cjs': page },
      'lab',
    )
    await lab.up()
    using client = await proxyClient(harness)
    const schemeOf = async (host: string): Promise<string | undefined> => {
      const { status, headers, text } = await client.ask(host)
      return status === 308 ? headers.location?.replace(/:[0-9]+\/$/u, '') : text
    }
    expect((await shop.service('web')).url).toBe(url)
    expect(await schemeOf('shop.localhost')).toBe('https://shop.localhost')
    expect(await schemeOf('lab.test')).toBe('<title>http</title>')

    expect((await lab.locald('trust', '--browsers-only')).code).toBe(0)
    expect(await schemeOf('lab.test')).toBe('https://lab.test')
    expect((await shop.service('web')).url).toBe(url)
  },
  90_000,
)
