import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { listListeners, parseLsof, parseProcNetTcp, procTable } from './listening-sockets.ts'
import type { Server } from 'node:net'

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'))
const places = [
  { name: 'IPv4', options: { host: '127.0.0.1' }, address: '127.0.0.1', family: 4 },
  ...(hasIpv6
    ? [
        { name: 'IPv6 alone', options: { host: '::1', ipv6Only: true }, address: '::1', family: 6 },
        { name: 'both, which stands only in the IPv6 table', options: { host: '::' }, address: '::', family: 6 },
      ]
    : []),
]

describe.runIf(process.platform === 'linux')('listing', () => {
  test.each(places)('finds a listener on $name', async ({ options, address, family }) => {
    const server = createServer().listen({ port: 0, ...options })
    await once(server, 'listening')
    const port = portOf(server)
    const uid = process.getuid?.()
    for (const found of [await listListeners(), await procTable.read()])
      expect(found.filter((one) => one.port === port)).toMatchObject([
        { address, family, uid, inode: expect.any(Number) },
      ])
    await new Promise((resolve) => server.close(resolve))
    expect((await listListeners()).some((one) => one.port === port)).toBe(false)
  })
})

describe('parseProcNetTcp()', () => {
  test('keeps listeners and drops connections and headings', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0
   1: 0100007F:A2B4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0000000000000000 20 4 30 10 -1
`
    expect(parseProcNetTcp(text, 4)).toEqual([
      { family: 4, port: 8080, address: '127.0.0.1', uid: 1000, inode: 4242, pid: null },
    ])
  })

  test('reads IPv6 addresses word by word', () => {
    const text = '  0: 00000000000000000000000001000000:0050 0:0 0A 0:0 0:0 0 0 0 7 1'
    expect(parseProcNetTcp(text, 6)).toMatchObject([{ address: '::1', port: 80, inode: 7 }])
  })
})

describe('parseLsof()', () => {
  test('reads processes with several files, wildcards and shared sockets', () => {
    const text = ['p10', 'u501', 'f5', 'tIPv4', 'd0xaa', 'n127.0.0.1:3000', 'f6', 'tIPv6', 'd0xbb', 'n*:8080']
    const child = ['p11', 'u501', 'f5', 'tIPv4', 'd0xaa', 'n127.0.0.1:3000', 'f7', 'tIPv6', 'd0xcc', 'n[::1]:9000']
    expect(parseLsof([...text, ...child, ''].join('\n'))).toEqual([
      { family: 4, port: 3000, address: '127.0.0.1', uid: 501, pid: 10, device: '0xaa' },
      { family: 6, port: 8080, address: '::', uid: 501, pid: 10, device: '0xbb' },
      { family: 6, port: 9000, address: '::1', uid: 501, pid: 11, device: '0xcc' },
    ])
  })
})

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
