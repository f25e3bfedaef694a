// The built proxy as the daemon runs it, in front of one service: `node proxy-thread.mjs AUTHORITIES BACKEND`, with listening
// sockets as descriptors 3 (HTTP) and 4 (HTTPS). Prints a line when it serves.
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

const [authorities, backend] = process.argv.slice(2)
const program = readFileSync(new URL('../packages/locald/dist/proxy.cjs', import.meta.url), 'utf8')
const listeners = [
  { fd: 3, port: 0, family: 4, tls: false },
  { fd: 4, port: 0, family: 4, tls: true },
]
const worker = new Worker(program, { eval: true, workerData: { listeners, authorities } })
const service = {
  key: 'bench/web',
  label: 'web',
  project: 'bench',
  state: 'up',
  upstreams: [{ instance: 1, port: Number(backend) }],
  site: null,
  holdMs: 30_000,
}
const table = {
  hosts: { localhost: { rules: [{ prefix: '/', service: service.key, stripPrefix: false }], redirectTo: null } },
  services: { [service.key]: service },
}
worker.postMessage({ type: 'routes', table })
worker.on('message', (message) => {
  if (message.type === 'listening') console.log('listening')
  if (message.type === 'log') console.error(message)
})
