import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces, userInfo } from 'node:os'
import { describe, expect, test } from 'vitest'
import { listListeners } from './listening-sockets.ts'
import { describeHolder, holderOf, holdersOf, isPortFree, ownersOf } from './port-holder.ts'
import type { Server } from 'node:net'

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'))

async function listening(host: string): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}

describe('holderOf()', () => {
  test('names the process, its command and its user', async () => {
    const { server, port } = await listening('127.0.0.1')
    const holder = await holderOf(port)
    expect(holder).toMatchObject({ port, pid: process.pid, user: userInfo().username })
    expect(holder?.command).toContain('node')
    await closed(server)
  })

  test('is null for a port on which nobody listens', async () => {
    const { server, port } = await listening('127.0.0.1')
    await closed(server)
    expect(await holderOf(port)).toBeNull()
  })
})

test('holdersOf() names the holder of each of several', async () => {
  const first = await listening('127.0.0.1')
  const second = await listening('127.0.0.1')
  const listeners = (await listListeners()).filter(({ port }) => port === first.port || port === second.port)
  const holders = await holdersOf(listeners)
  expect(listeners.map(({ inode }) => holders.get(inode)?.pid)).toEqual([process.pid, process.pid])
  await closed(first.server)
  await closed(second.server)
})

describe('describeHolder()', () => {
  const holder = { port: 80, address: '::', pid: 123, command: 'nginx', user: 'www' }

  test('falls back to what is known', () => {
    expect(describeHolder(holder)).toBe('pid 123 (nginx)')
    expect(describeHolder({ ...holder, command: null })).toBe('pid 123')
    expect(describeHolder({ ...holder, pid: null, command: null })).toBe('a process of user "www"')
  })
})

describe('isPortFree()', () => {
  test.each(['127.0.0.1', '0.0.0.0', ...(hasIpv6 ? ['::', '::1'] : [])])('sees a listener on %s', async (host) => {
    const { server, port } = await listening(host)
    expect(await isPortFree(port)).toBe(false)
    await closed(server)
    expect(await isPortFree(port)).toBe(true)
  })
})

describe.runIf(process.platform === 'linux')('ownersOf()', () => {
  test('looks only among the given processes', async () => {
    const { server, port } = await listening('127.0.0.1')
    const inode = (await listListeners()).find((one) => one.port === port)?.inode ?? 0
    const child = spawn('sleep', ['1000'])
    const other = child.pid ?? 0
    expect([...ownersOf(new Set([inode]), [other]).owners]).toEqual([])
    expect([...ownersOf(new Set([inode]), [other, process.pid]).owners]).toEqual([[inode, process.pid]])
    child.kill()
    await once(child, 'exit')
    expect(ownersOf(new Set([inode]), [other])).toEqual({ owners: new Map(), unreadable: [] })
    await closed(server)
  })
})
