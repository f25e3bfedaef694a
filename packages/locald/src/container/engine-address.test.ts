import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { engineAddress, isRemote } from './engine-address.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'docker-'))
})
afterEach(() => rmSync(home, { recursive: true }))

function writeContext(name: string, host: string): void {
  const folder = join(home, '.docker/contexts/meta', createHash('sha256').update(name).digest('hex'))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }))
}

test('engineAddress() takes DOCKER_HOST before any context', async () => {
  writeContext('colima', 'unix:///colima.sock')
  const env = { HOME: home, DOCKER_CONTEXT: 'colima', DOCKER_HOST: 'unix:///mine.sock' }
  expect(await engineAddress(env)).toEqual({ url: 'unix:///mine.sock', certificates: null })
})

test('engineAddress() takes the context that is named, or the current one', async () => {
  writeContext('colima', 'unix:///colima.sock')
  writeContext('far', 'ssh://me@far')
  expect((await engineAddress({ HOME: home, DOCKER_CONTEXT: 'colima' })).url).toBe('unix:///colima.sock')
  writeFileSync(join(home, '.docker/config.json'), JSON.stringify({ currentContext: 'far' }))
  expect((await engineAddress({ HOME: home })).url).toBe('ssh://me@far')
})

test('engineAddress() names a context that does not exist', async () => {
  await expect(engineAddress({ HOME: home, DOCKER_CONTEXT: 'gone' })).rejects.toThrow(
    'the docker context "gone" does not exist',
  )
})

test('engineAddress() takes certificates for TCP where they are to be verified', async () => {
  const tls = { HOME: home, DOCKER_HOST: 'tcp://far:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' }
  expect(await engineAddress(tls)).toEqual({ url: 'tcp://far:2376', certificates: '/certs' })
  expect((await engineAddress({ ...tls, DOCKER_HOST: 'unix:///s' })).certificates).toBeNull()
})

test.each([
  ['unix:///var/run/docker.sock', false],
  ['tcp://127.0.0.1:2375', false],
  ['tcp://127.1.2.3', false],
  ['tcp://localhost:2376', false],
  ['tcp://[::1]:2375', false],
  ['http://localhost', false],
  ['tcp://localhost.far.example:2375', true],
  ['tcp://10.0.0.1:2375', true],
  ['tcp://[fe80::1]:2375', true],
  ['ssh://me@far', true],
])('isRemote() says of %s: %s', (url, expected) => {
  expect(isRemote({ url, certificates: null })).toBe(expected)
})
