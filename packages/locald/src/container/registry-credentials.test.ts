import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { credentialsFor, registryOf, withTag } from './registry-credentials.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'docker-'))
  mkdirSync(join(home, '.docker'))
})
afterEach(() => rmSync(home, { recursive: true }))

function writeConfig(config: object): void {
  writeFileSync(join(home, '.docker/config.json'), JSON.stringify(config))
}

test.each([
  ['redis', 'https://index.docker.io/v1/'],
  ['library/redis:7', 'https://index.docker.io/v1/'],
  ['ghcr.io/a/b', 'ghcr.io'],
  ['localhost/a', 'localhost'],
  ['127.0.0.1:5000/a:1', '127.0.0.1:5000'],
])('registryOf() finds the registry of %s', (image, registry) => {
  expect(registryOf(image)).toBe(registry)
})

test.each([
  ['redis', 'redis:latest'],
  ['redis:7', 'redis:7'],
  ['127.0.0.1:5000/a', '127.0.0.1:5000/a:latest'],
  ['a@sha256:0123', 'a@sha256:0123'],
])('withTag() makes %s %s', (image, tagged) => {
  expect(withTag(image)).toBe(tagged)
})

test('credentialsFor() reads what docker login wrote', async () => {
  writeConfig({ auths: { 'ghcr.io': { auth: Buffer.from('me:pa:ss').toString('base64') } } })
  expect(await credentialsFor('ghcr.io/a/b', { HOME: home })).toMatchObject({ username: 'me', password: 'pa:ss' })
  expect(await credentialsFor('redis', { HOME: home })).toBeUndefined()
})

test('credentialsFor() asks the helper that docker is configured with', async () => {
  const helper = join(home, 'docker-credential-mine')
  writeFileSync(helper, `#!/bin/sh\nread server\necho "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"for $server\\"}"\n`)
  chmodSync(helper, 0o755)
  writeConfig({ credHelpers: { 'ghcr.io': 'mine' } })
  const env = { HOME: home, PATH: `${home}:${process.env['PATH'] ?? ''}` }
  expect(await credentialsFor('ghcr.io/a', env)).toMatchObject({ username: 'get', password: 'for ghcr.io' })
})

test('credentialsFor() goes without when the configuration is damaged or its helper is missing', async () => {
  writeFileSync(join(home, '.docker/config.json'), '{')
  expect(await credentialsFor('ghcr.io/a', { HOME: home })).toBeUndefined()
  writeConfig({ credsStore: 'nobody-has-this' })
  expect(await credentialsFor('ghcr.io/a', { HOME: home, PATH: '/nowhere' })).toBeUndefined()
})
