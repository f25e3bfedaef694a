// A service that sends back what it gets by WebSocket, and how many messages go there and back in a second.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const answer = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
/** A text of 32 bytes with a mask of zeros: what comes back unmasked is two bytes, then the same. */
const frame = Buffer.concat([Buffer.from([0x81, 0x80 | 32, 0, 0, 0, 0]), Buffer.alloc(32, 'm')])

/** Frames are given back as they came: nobody here minds the mask. */
export async function startEcho() {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(answer)
      socket.pipe(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: server.address().port, close: () => server.close() }
}

/** Messages a second over so many connections, each of which has one on its way. */
export async function measureMessages(port, connections, ms) {
  let messages = 0
  let isOver = false
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.on('error', () => undefined)
      socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      await once(socket, 'data')
      let bytes = 0
      socket.on('data', (chunk) => {
        bytes += chunk.length
        if (bytes < frame.length || isOver) return
        bytes -= frame.length
        messages += 1
        socket.write(frame)
      })
      return socket
    }),
  )
  const startedAt = performance.now()
  for (const socket of sockets) socket.write(frame)
  await new Promise((resolve) => setTimeout(resolve, ms))
  isOver = true
  const seconds = (performance.now() - startedAt) / 1000
  for (const socket of sockets) socket.destroy()
  return messages / seconds
}
