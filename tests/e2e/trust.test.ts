// `locald trust` as users call it, with stores of a test's own: a home, and, in a mount namespace, the system's directories.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TrustReport } from '@locald/protocol'
import { expect, test } from 'vitest'
import { Authorities } from '../../packages/locald/src/certificates/authorities.ts'
import { issueLeaf } from '../../packages/locald/src/certificates/issue.ts'
import { LeafCache } from '../../packages/locald/src/certificates/leaf-cache.ts'
import { chromiumProgram, titleOf } from '../support/chromium.ts'
import { startCli } from '../support/cli.ts'
import type { CliResult } from '../support/cli.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'
import { installForOthers } from '../support/installed-copy.ts'

const hasNss = existsSync('/usr/bin/certutil')
const canUnshare = existsSync('/usr/sbin/update-ca-certificates') && spawnSync('unshare', ['-rm', 'true']).status === 0

const testWithNss = test.runIf(hasNss)
const testWithChromium = test.runIf(hasNss && chromiumProgram !== null)
const testAsRoot = test.runIf(hasNss && process.getuid?.() === 0)
const testWithNamespace = test.runIf(hasNss && canUnshare)

/** An empty database, as Chromium makes it. */
function createDatabase(harness: Harness, path = '.pki/nssdb'): string {
  const directory = join(harness.env['HOME'] ?? '', path)
  mkdirSync(directory, { recursive: true })
  execFileSync('certutil', ['-N', '-d', `sql:${directory}`, '--empty-password'])
  return directory
}

const nicknames = (database: string): string => execFileSync('certutil', ['-L', '-d', `sql:${database}`]).toString()

testWithNss(
  'trust makes a CA, adds it to every browser, changes nothing the second time, and takes it back',
  async () => {
    await using harness = createHarness()
    const [chrome, firefox] = [createDatabase(harness), createDatabase(harness, '.mozilla/firefox/a.default')]
    const list = '[Profile0]\nName=default\nIsRelative=1\nPath=a.default\n'
    writeFileSync(join(harness.env['HOME'] ?? '', '.mozilla/firefox/profiles.ini'), list)

    const first = await harness.locald(['trust', '--browsers-only'])
    expect(first.code, first.stderr).toBe(0)
    expect(first.stdout).toMatch(/✓ Chromium, Chrome .*added, and verified by a handshake/u)
    expect(first.stdout).toMatch(/✓ Firefox, profile default .*added/u)
    expect(first.stderr).toContain('certutil -A -t C,,')
    expect(nicknames(chrome)).toContain('locald ')
    expect(nicknames(firefox)).toContain('locald ')

    const again = await harness.locald(['trust', '--browsers-only', '--json'])
    const report = again.json<TrustReport>()
    expect(again.stderr).toBe('')
    expect(report).toMatchObject({ trusted: true, scope: 'browsers' })
    expect(report.authorities).toMatchObject([{ suffixes: ['localhost'], trusted: true }])
    expect(report.stores.map(({ trusted, reason }) => [trusted, reason])).toEqual([
      [true, null],
      [true, null],
    ])
    const file = JSON.parse(readFileSync(join(harness.home, 'state/trust.json'), 'utf8')) as { trusted: unknown }
    expect(file.trusted).toEqual(report.authorities.map(({ fingerprint }) => fingerprint))

    const undone = await harness.locald(['trust', '--uninstall'])
    expect(undone.code, undone.stderr).toBe(0)
    expect(undone.stdout).toMatch(/✓ Chromium, Chrome .*removed\n.*✓ Firefox, profile default .*removed/u)
    expect([nicknames(chrome), nicknames(firefox)].join()).not.toContain('locald')
    const empty = await harness.locald(['trust', '--uninstall'])
    expect([empty.code, empty.stdout]).toEqual([0, expect.stringContaining('Nothing was installed')])
  },
)

testWithNss('a dry run shows everything and touches nothing, not even our own directory', async () => {
  await using harness = createHarness()
  const chrome = createDatabase(harness)
  const result = await harness.locald(['trust', '--dry-run'])
  expect(result.code).toBe(0)
  expect(result.stderr).toContain('A certificate authority for localhost would be made first')
  expect(result.stderr).toContain(`-d sql:${chrome}`)
  expect(result.stderr).toContain('Nothing was changed')
  expect(nicknames(chrome)).not.toContain('locald')
  expect(existsSync(harness.home)).toBe(false)
})

testWithNss('a name with another suffix needs a second CA, which trust adds', async () => {
  await using harness = createHarness()
  const chrome = createDatabase(harness)
  await harness.locald(['trust', '--browsers-only'])
  const project = harness.project({
    'locald.toml': '[project]\ndomain = "shop.example.com"\n[services.web]\ncommand = "sleep 60"\n',
  })
  const dry = await project.locald('trust', '--browsers-only', '--dry-run')
  expect(dry.stderr).toContain('A certificate authority for shop.example.com would be made first')
  expect(dry.stderr.match(/certutil -A/gu)).toHaveLength(1)
  expect(readdirSync(join(harness.home, 'data/ca')).sort()).toEqual(['1', 'roots.pem'])
  expect(nicknames(chrome).match(/locald /gu)).toHaveLength(1)
  const result = await project.locald('trust', '--browsers-only', '--json')
  const report = result.json<TrustReport>()
  expect(report.trusted, result.stdout).toBe(true)
  expect(report.authorities.map(({ suffixes }) => suffixes)).toEqual([['localhost'], ['shop.example.com']])
  expect(nicknames(chrome).match(/locald /gu)).toHaveLength(2)
})

test('two at once make one CA', async () => {
  await using harness = createHarness()
  if (hasNss) createDatabase(harness)
  const results = await Promise.all([1, 2, 3].map(async () => await harness.locald(['trust', '--browsers-only'])))
  if (hasNss) expect(results.map(({ code, stderr }) => (code === 0 ? '' : stderr))).toEqual(['', '', ''])
  expect(readdirSync(join(harness.home, 'data/ca')).sort()).toEqual(['1', 'roots.pem'])
  expect(statSync(join(harness.home, 'data/ca')).mode & 0o777).toBe(0o700)
})

testWithChromium(
  'Chromium shows a page at https without an exception after trust, and refuses it before and afterwards',
  async () => {
    await using harness = createHarness()
    await using site = await openSite(harness)
    await expect(titleOf(site.url, harness.env)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
    const trusted = await harness.locald(['trust', '--browsers-only'])
    expect(trusted.code, trusted.stdout).toBe(0)
    expect(await titleOf(site.url, harness.env)).toBe('padlock')
    await harness.locald(['trust', '--uninstall'])
    await expect(titleOf(site.url, harness.env)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
  },
  90_000,
)

testWithChromium(
  'a Chromium that was never started uses the database that trust makes for it, and its limits',
  async () => {
    await using harness = createHarness()
    await using site = await openSite(harness)
    await using forged = await openSite(harness, 'bank.example.com')
    expect((await harness.locald(['trust', '--browsers-only'])).code).toBe(0)
    expect(await titleOf(site.url, harness.env)).toBe('padlock')
    const stolen = titleOf(forged.url, harness.env, ['--host-resolver-rules=MAP bank.example.com 127.0.0.1'])
    await expect(stolen).rejects.toThrow('ERR_CERT_INVALID')
  },
  90_000,
)

test('root by sudo is sent back: it would change the browsers of root', async () => {
  await using harness = createHarness({ SUDO_UID: '1000' })
  const result = await harness.locald(['trust', '--dry-run'])
  expect(result.code).toBe(process.getuid?.() === 0 ? 2 : 0)
})

test('programs that are told of the files accept our certificates, and still those of others', async () => {
  await using harness = createHarness()
  await using site = await openSite(harness)
  const { authorities, url } = site
  const { port, hostname } = new URL(url)
  const bundle = await authorities.bundleFile()
  const node = `require('node:https').get({ host: '127.0.0.1', port: ${port}, servername: '${hostname}' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1))`
  const python = [
    'import socket, ssl',
    `with socket.create_connection(('127.0.0.1', ${port})) as s:`,
    `    ssl.create_default_context().wrap_socket(s, server_hostname='${hostname}').close()`,
  ]
  const ends = async (
    env: Record<string, string>,
    program: string,
    ...args: readonly string[]
  ): Promise<number | null> => {
    const child = spawn(program, args, { env: { ...harness.env, ...env }, stdio: 'ignore' })
    const [code]: unknown[] = await once(child, 'close')
    return typeof code === 'number' ? code : null
  }
  const curl = ['curl', '-s', '--noproxy', '*', '--resolve', `${hostname}:${port}:127.0.0.1`, url] as const
  expect(await ends({}, process.execPath, '-e', node)).not.toBe(0)
  expect(await ends({ NODE_EXTRA_CA_CERTS: authorities.rootsFile }, process.execPath, '-e', node)).toBe(0)
  expect(await ends({}, ...curl)).toBe(60)
  expect(await ends({ SSL_CERT_FILE: bundle }, ...curl)).toBe(0)
  expect(await ends({}, 'python3', '-c', python.join('\n'))).toBe(1)
  expect(await ends({ SSL_CERT_FILE: bundle }, 'python3', '-c', python.join('\n'))).toBe(0)
  const others = readFileSync(bundle, 'utf8').split('-----BEGIN CERTIFICATE-----').length - 2
  expect(others).toBeGreaterThan(50)
})

interface Site extends AsyncDisposable {
  readonly url: string
  readonly authorities: Authorities
}

/** A page behind a certificate of the harness's CA; for a host of somebody else, signed as a thief of the key would. */
async function openSite(harness: Harness, stolen?: string): Promise<Site> {
  const authorities = Authorities.open(join(harness.home, 'data/ca'))
  const [authority] = await authorities.ensure(['localhost'])
  if (authority === undefined) throw new Error('No CA was made')
  const leaves = new LeafCache(authorities)
  const key = readFileSync(join(authority.file, '../key.pem'), 'utf8')
  const now = Date.now()
  const forged =
    stolen === undefined
      ? null
      : await issueLeaf({ certificate: authority.certificate, key }, stolen, {
          notBefore: now - 60_000,
          notAfter: now + 600_000,
        })
  const server = createServer(
    forged === null
      ? { SNICallback: (name, answer) => void leaves.contextFor(name).then((context) => answer(null, context), answer) }
      : { cert: forged.certificate, key: forged.key },
    (_, response) => response.end('<title>padlock</title>'),
  )
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://${stolen ?? 'web.shop.localhost'}:${(server.address() as AddressInfo).port}/`,
    authorities,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

testAsRoot('who may not become root gets what is possible without, and is told the rest', async () => {
  const nobody = 65_534
  const directory = mkdtempSync('/tmp/h-') // the directory of the tests is closed to others
  try {
    const database = join(directory, '.pki/nssdb')
    mkdirSync(database, { recursive: true })
    execFileSync('certutil', ['-N', '-d', `sql:${database}`, '--empty-password'])
    execFileSync('chown', ['-R', String(nobody), directory])
    const command = installForOthers(join(directory, 'installed'))
    const env = { PATH: process.env['PATH'] ?? '', HOME: directory, LOCALD_HOME: join(directory, 'l') }
    const run = async (...args: readonly string[]): Promise<CliResult> =>
      await startCli(args, { cwd: '/', env, uid: nobody, command }).ended
    const result = await run('trust')
    expect(result.code, result.stdout + result.stderr).toBe(1)
    expect(result.stdout).toMatch(
      /✗ The system .*: It needs root, and (?:there is no sudo|sudo exited with 1)\n.*fix:.* --browsers-only/u,
    )
    expect(result.stdout).toMatch(/✓ Chromium, Chrome .*: added, and verified by a handshake/u)
    expect(result.stdout).toContain('addresses stay http')
    const content = await run('trust', '--browsers-only')
    expect([content.code, content.stdout]).toEqual([0, expect.stringContaining('enough as you said --browsers-only')])
    const removed = await run('trust', '--uninstall')
    expect([removed.code, nicknames(database).includes('locald')]).toEqual([0, false])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

testWithNamespace(
  'the store of the system is changed, verified and restored, in a mount namespace of its own',
  async () => {
    await using harness = createHarness()
    const database = createDatabase(harness)
    const overlay = (name: string): string => {
      mkdirSync(join(harness.home, name), { recursive: true })
      return join(harness.home, name)
    }
    const locald = process.env['LOCALD_BIN'] ?? join(import.meta.dirname, '../../packages/locald/bin/locald.cjs')
    const script = `set -eu
mount --bind '${overlay('anchors')}' /usr/local/share
mkdir /usr/local/share/ca-certificates
cp -a /etc/ssl/certs/. '${overlay('certs')}'
mount --bind '${overlay('certs')}' /etc/ssl/certs
update-ca-certificates --fresh > /dev/null
before=$(sha256sum < /etc/ssl/certs/ca-certificates.crt)
listing=$(ls /etc/ssl/certs | sha256sum)
locald() { '${process.execPath}' '${locald}' "$@"; }
locald trust --json
ls /usr/local/share/ca-certificates
locald trust --json
locald trust --uninstall
ls /usr/local/share/ca-certificates
[ "$before" = "$(sha256sum < /etc/ssl/certs/ca-certificates.crt)" ] && [ "$listing" = "$(ls /etc/ssl/certs | sha256sum)" ] && echo restored
`
    const result = spawnSync('unshare', ['-rm', '/bin/sh', '-c', script], { env: harness.env, encoding: 'utf8' })
    const lines = result.stdout.trim().split('\n')
    expect(result.status, result.stdout + result.stderr).toBe(0)
    const [first, again] = [lines[0], lines[2]].map((line) => JSON.parse(line ?? '') as TrustReport)
    for (const report of [first, again]) {
      expect(report?.trusted).toBe(true)
      expect(report?.stores.map(({ id, trusted }) => [id, trusted])).toEqual([
        ['system', true],
        [`nss:${database}`, true],
      ])
    }
    expect(lines[1]).toMatch(/^locald-[0-9a-f]{16}\.crt$/u)
    expect(lines.slice(3).join('\n')).toMatch(
      /✓ The system \(Debian, Ubuntu\) .*: removed\n✓ Chromium, Chrome .*: removed/u,
    )
    expect(lines.at(-1)).toBe('restored')
    expect(
      existsSync('/usr/local/share/ca-certificates') &&
        readdirSync('/usr/local/share/ca-certificates').some((name) => name.startsWith('locald-')),
    ).toBe(false)
  },
  90_000,
)
