import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Resolver } from 'node:dns/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { curl } from '../support/curl.ts'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'

/** As "admin setup --dns test" leaves it. */
function askForDns(harness: Harness, port: number): void {
  mkdirSync(join(harness.home, 'state'), { recursive: true, mode: 0o700 })
  writeFileSync(join(harness.home, 'state/dns.json'), JSON.stringify({ version: 1, port, suffixes: ['test'] }))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A daemon that has just started begins with it a moment later. */
async function lookUp(port: number): Promise<readonly string[]> {
  for (;;) {
    try {
      return await lookUpOnce(port)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error
    }
  }
}

async function lookUpOnce(port: number): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  return await resolver.resolve4('shop.test')
}

test('the daemon answers DNS when somebody has asked for it, also after it was replaced', async () => {
  await using harness = createHarness()
  const port = await freePort()
  askForDns(harness, port)
  await harness.locald(['server', 'start'])
  expect(await lookUp(port)).toEqual(['127.0.0.1'])
  await harness.locald(['server', 'restart'])
  expect(await lookUp(port)).toEqual(['127.0.0.1'])
  await harness.locald(['server', 'stop'])
  await expect(lookUpOnce(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a daemon that runs follows what is asked for, and warns of a port that is taken as long as it is', async () => {
  await using harness = createHarness()
  await harness.locald(['server', 'start'])
  const [port, other] = [await freePort(), await freePort()]
  const tell = async (): Promise<void> => {
    const { status } = await curl(
      '-X',
      'POST',
      '--unix-socket',
      join(harness.home, 'run/api.sock'),
      'http://locald/v1/trust',
    )
    expect(status).toBe(200)
  }
  askForDns(harness, port)
  await tell()
  expect(await lookUpOnce(port)).toEqual(['127.0.0.1'])
  askForDns(harness, other)
  await tell()
  expect(await lookUpOnce(other)).toEqual(['127.0.0.1'])
  await expect(lookUpOnce(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })

  const holder = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => holder.once('listening', resolve))
  askForDns(harness, port)
  await tell()
  expect((await harness.serverStatus()).warnings?.join()).toContain('EADDRINUSE')
  await new Promise((resolve) => holder.close(resolve))
  await tell()
  expect((await harness.serverStatus()).warnings).toBeUndefined()
  expect(await lookUpOnce(port)).toEqual(['127.0.0.1'])

  rmSync(join(harness.home, 'state/dns.json'))
  await tell()
  await expect(lookUpOnce(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a port that is taken is a warning, and nothing else', async () => {
  await using harness = createHarness()
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => holder.once('listening', resolve))
  askForDns(harness, (holder.address() as AddressInfo).port)
  await harness.locald(['server', 'start'])
  let status = await harness.serverStatus()
  while (status.warnings === undefined || status.warnings.length === 0) status = await harness.serverStatus()
  expect(status.warnings.join('\n')).toMatch(/Names below test are not answered: .*EADDRINUSE/)
  holder.close()
})
