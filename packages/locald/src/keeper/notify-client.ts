// What the tests of notify sockets send with: a client in this process, and programs for services to run.
import { closeSync } from 'node:fs'
import koffi from 'koffi'

const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)')
const connect = libc.func('int connect(int, const void *, unsigned int)')
const send = libc.func('long send(int, const void *, unsigned long, int)')

/** Sends one datagram to an abstract address from this process; false when it was not taken. */
export function sendNotify(address: string, message: string | Buffer): boolean {
  const name = Buffer.from(`\0${address.slice(1)}`)
  const bytes = Buffer.concat([Buffer.from([1, 0]), name])
  const fd: number = socket(1, 2, 0)
  try {
    if (connect(fd, bytes, bytes.length) !== 0) return false
    const text = Buffer.from(message)
    return Number(send(fd, text, text.length, 0x40)) === text.length
  } finally {
    closeSync(fd)
  }
}

/** A Python program with `say(*messages)` for the socket of its run, and `address` for what to send to by other means. */
export function pythonSender(body: string): string {
  return `
import array, os, socket, subprocess, sys, time
address = os.environ["NOTIFY_SOCKET"]
if address[0] == "@": address = "\\0" + address[1:]
def say(*messages):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        for message in messages:
            client.sendall(message if isinstance(message, bytes) else message.encode())
${body}
`
}
