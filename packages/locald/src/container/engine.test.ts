import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openEngine } from './engine.ts'

test.each(['127.0.0.1', '[::1]', 'localhost'])('openEngine() reaches an engine at tcp://%s', async (host) => {
  const server = createServer((request, response) => response.end(request.url))
  server.listen(0, host === 'localhost' ? host : host.replace(/[[\]]/gu, ''))
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const engine = await openEngine({ url: `tcp://${host}:${port}`, certificates: null })
    expect(String(await engine.ping())).toBe('/_ping')
  } finally {
    server.close()
  }
})
