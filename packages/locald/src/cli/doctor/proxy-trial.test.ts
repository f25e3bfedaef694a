import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { expect, test } from 'vitest'
import { faultAt } from './proxy-trial.ts'

async function faultOf(server: Server, options: { isSecure?: boolean } = {}): Promise<string | null> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const fault = await faultAt({ port, isSecure: options.isSecure ?? false, host: null })
  server.close()
  return fault
}

const answering = (status: number, headers: Record<string, string>): Server =>
  createHttpServer((request, response) => {
    response.writeHead(request.headers.host === 'locald-doctor.invalid' ? status : 200, headers).end('x')
  })

test('the answer to a name that nobody has proves that the proxy is at work', async () => {
  expect(await faultOf(answering(421, { 'x-locald-notice': 'unknown-host' }))).toBeNull()
})

test('a socket that connections are made to, and nobody answers at, serves nothing', async () => {
  // As the keeper's, while nobody accepts from it.
  const held = createServer()
  expect(await faultOf(held)).toBe('no answer within 3 s')
})

test('somebody else at the port is no proxy of ours', async () => {
  expect(await faultOf(answering(404, {}))).toBe('somebody else answers, with status 404')
})

test('a handshake that is ended at once is an answer where no name is served, and none that hangs', async () => {
  expect(
    await faultOf(
      createServer((socket) => socket.once('data', () => socket.destroy())),
      { isSecure: true },
    ),
  ).toBe(null)
  expect(await faultOf(createServer(), { isSecure: true })).toBe('no answer within 3 s')
})
