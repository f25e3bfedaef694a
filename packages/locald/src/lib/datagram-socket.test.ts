import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bindDatagramSocket, closeDatagramSocket, longestDatagram, receiveDatagram } from './datagram-socket.ts'
import { hasCloseOnExec } from './native.ts'

const send = `
import socket, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect(sys.argv[1].replace("@", "\\0", 1))
for size in sys.argv[2:]: client.send(b"x" * int(size))
`

function sendTo(address: string, ...sizes: readonly number[]): void {
  const sent = spawnSync('python3', ['-c', send, address, ...sizes.map(String)])
  expect(sent.stderr.toString()).toBe('')
}

test.runIf(process.platform === 'linux')('an abstract socket gets datagrams whole, and who sent them', () => {
  const address = `@locald/test-${process.pid}-abstract`
  const fd = bindDatagramSocket(address)
  onTestFinished(() => closeDatagramSocket(fd, address))
  expect(hasCloseOnExec(fd)).toBe(true)
  expect(receiveDatagram(fd)).toBeNull()
  sendTo(address, 5, 0, longestDatagram, longestDatagram + 1)
  const received = [1, 2, 3, 4].map(() => receiveDatagram(fd))
  expect(received.map((one) => [one?.bytes.length, one?.isTruncated])).toEqual([
    [5, false],
    [0, false],
    [longestDatagram, false],
    [longestDatagram, true],
  ])
  expect(received[0]?.sender).toMatchObject({ uid: process.getuid?.() })
  expect(received[0]?.sender?.pid).toBeGreaterThan(1)
  expect(receiveDatagram(fd)).toBeNull()
})

test('a socket at a path is there for everybody who can get to it, and goes when it is closed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'locald-datagram-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'socket')
  const fd = bindDatagramSocket(path)
  expect(statSync(path).mode & 0o777).toBe(0o777)
  expect(() => bindDatagramSocket(path)).toThrow('EADDRINUSE')
  sendTo(path, 3)
  expect(receiveDatagram(fd)?.bytes.toString()).toBe('xxx')
  closeDatagramSocket(fd, path)
  expect(existsSync(path)).toBe(false)
})
