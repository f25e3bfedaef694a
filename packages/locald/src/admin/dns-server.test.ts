import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { encode, streamDecode, streamEncode } from 'dns-packet'
import { expect, test } from 'vitest'
import { DnsServer } from './dns-server.ts'

const logger = { log: () => undefined }
const open = (): Promise<DnsServer> => DnsServer.open({ port: 0, suffixes: ['test'] }, logger)
const query = { type: 'query' as const, id: 9, questions: [{ name: 'shop.test', type: 'A' as const }] }

test('a resolver finds names below the suffix, over IPv4 and IPv6', async () => {
  await using server = await open()
  for (const address of [`127.0.0.1:${server.port}`, `[::1]:${server.port}`]) {
    const resolver = new Resolver({ timeout: 2000, tries: 1 })
    resolver.setServers([address])
    expect(await resolver.resolve4('api.shop.test')).toEqual(['127.0.0.1'])
    expect(await resolver.resolve6('api.shop.test')).toEqual(['::1'])
    await expect(resolver.resolveMx('shop.test')).rejects.toMatchObject({ code: 'ENODATA' })
    await expect(resolver.resolve4('example.com')).rejects.toMatchObject({ code: 'EREFUSED' })
  }
})

test('several questions in one TCP connection are answered, however they are cut', async () => {
  await using server = await open()
  const socket = connect(server.port, '127.0.0.1')
  const bytes = Buffer.concat([streamEncode(query), streamEncode({ ...query, id: 10 })])
  let answer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    answer = Buffer.concat([answer, chunk])
    if (answer.length >= 2 * (answer.readUInt16BE(0) + 2)) socket.destroy()
  })
  for (const byte of bytes) socket.write(Buffer.of(byte))
  await once(socket, 'close')
  const size = answer.readUInt16BE(0) + 2
  const answers = [answer.subarray(0, size), answer.subarray(size)].map((one) => streamDecode(one))
  expect(answers).toMatchObject([
    { id: 9, answers: [{ data: '127.0.0.1' }] },
    { id: 10, answers: [{ data: '127.0.0.1' }] },
  ])
})

test('it goes on after garbage, endless questions and more connections than it takes', async () => {
  await using server = await open()
  const udp = createSocket('udp4')
  for (let count = 0; count < 200; count += 1) udp.send(Buffer.alloc(count * 7, count), server.port, '127.0.0.1')
  const begin = (): Socket => connect(server.port, '127.0.0.1').on('error', () => undefined)
  const tcp = begin()
  tcp.write(Buffer.alloc(70_000, 0xff))
  await new Promise((resolve) => tcp.once('close', resolve))
  const idle = Array.from({ length: 100 }, begin)
  await Promise.all(
    idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
  )
  udp.send(encode(query), server.port, '127.0.0.1')
  for (;;) {
    const [message]: unknown[] = await once(udp, 'message')
    if (Buffer.isBuffer(message) && message.readUInt16BE(0) === 9) break
  }
  udp.close()
  for (const socket of idle) socket.destroy()
})

test('a port that is taken is said to be', async () => {
  await using server = await open()
  await expect(DnsServer.open({ port: server.port, suffixes: ['test'] }, logger)).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})

test('nothing is left open where only the other half of a port is taken', async () => {
  const holder = createSocket('udp4')
  holder.bind(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address()
  const opened = (): number => process.getActiveResourcesInfo().filter((kind) => /UDP|TCP/.test(kind)).length
  await expect(DnsServer.open({ port, suffixes: ['test'] }, logger)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  // The holder.
  await expect.poll(opened).toBe(1)
  holder.close()
})
