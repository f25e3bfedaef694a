// Stands between locald and an engine, and notes what it is asked.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface RecordedEngine extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly url: string
  /** The first line of each request so far. */
  readonly requests: readonly string[]
}

/** `url`: a socket of this machine, `unix:///…`. */
export async function recordEngine(url: string): Promise<RecordedEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-'))
  const path = join(directory, 'docker.sock')
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ path: url.slice('unix://'.length), allowHalfOpen: true })
    for (const socket of [client, engine]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    client.on('data', (bytes: Buffer) => {
      for (const [line] of bytes.toString('latin1').matchAll(/^(?:GET|POST|DELETE|PUT|HEAD) .*(?= HTTP)/gmu))
        requests.push(line)
    })
    client.pipe(engine).pipe(client)
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    url: `unix://${path}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
