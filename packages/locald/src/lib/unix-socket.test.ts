import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hasCloseOnExec } from './native.ts'
import { listenUnixSocket, socketPathLimit } from './unix-socket.ts'

function makeFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'us-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

test('listenUnixSocket() takes connections before anybody accepts them', async () => {
  const path = join(makeFolder(), 's')
  writeFileSync(path, 'left over')
  const fd = listenUnixSocket(path)
  expect(hasCloseOnExec(fd)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const client = connect(path)
  await once(client, 'connect')
  const server = createServer((socket) => socket.end('hello')).listen({ fd })
  const [data] = (await once(client, 'data')) as [Buffer]
  expect(data.toString()).toBe('hello')
  client.destroy()
  server.close()
})

test('listenUnixSocket() works up to the limit of the path and fails beyond', () => {
  const folder = makeFolder()
  const fits = join(folder, 'x'.repeat(socketPathLimit - Buffer.byteLength(folder) - 1))
  expect(Buffer.byteLength(fits)).toBe(socketPathLimit)
  closeSync(listenUnixSocket(fits))
  expect(() => listenUnixSocket(`${fits}xx`)).toThrow()
  expect(() => listenUnixSocket(join(folder, 'missing/s'))).toThrow('ENOENT')
})

test('listenUnixSocket() leaves nothing behind where it cannot put its file', () => {
  const folder = makeFolder()
  mkdirSync(join(folder, 'api.sock/inside'), { recursive: true })
  expect(() => listenUnixSocket(join(folder, 'api.sock'))).toThrow(/EISDIR|EEXIST|ENOTEMPTY/u)
  expect(readdirSync(folder)).toEqual(['api.sock'])
  rmSync(join(folder, 'api.sock'), { recursive: true })
  closeSync(listenUnixSocket(join(folder, 'api.sock')))
  expect(readdirSync(folder)).toEqual(['api.sock'])
})
