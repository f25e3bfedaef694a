// The proxy's entry point, built into dist/proxy.cjs and run as a thread by the daemon.
import type { SecureContext } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import { Authorities } from '../certificates/authorities.ts'
import { HostCertificates } from '../certificates/host-certificates.ts'
import { runProxy } from '../proxy/run-proxy.ts'
import type { FromProxy, ProxyThreadData, ToProxy } from '../proxy/messages.ts'

if (parentPort === null) throw new Error('The proxy runs as a thread of the daemon')
const port = parentPort

// One connection's fault must not end those of all others: it is told, and the thread goes on.
const tellError = (message: string, error: unknown): void => {
  const stack = error instanceof Error ? error.stack : String(error)
  port.postMessage({ type: 'log', level: 'error', message, fields: { stack } })
}
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => tellError('The proxy met an unexpected error', error))
}

const data = workerData as ProxyThreadData // given by proxy-thread.ts
const tell = (message: string, fields: Record<string, unknown> = {}): void => {
  port.postMessage({ type: 'log', level: 'warn', message, fields })
}
const authorities = Authorities.open(data.authorities, { onWarning: tell })
const certificates = new HostCertificates(authorities, {
  onRenewalFailed: (host, error) => tell('Cannot renew a certificate', { host, error: String(error) }),
})

let ensuring = Promise.resolve()
const ensure = async (suffixes: readonly string[]): Promise<void> => {
  try {
    await authorities.ensure(suffixes)
  } catch (error) {
    tell('Cannot make a certificate authority', { suffixes, error: String(error) })
  }
  port.postMessage({ type: 'ensured', suffixes } satisfies FromProxy)
}
port.on('message', (message: ToProxy) => {
  if (message.type === 'ensure') ensuring = ensuring.then(() => ensure(message.suffixes))
})
const contextFor = async (host: string, isOwn: boolean): Promise<SecureContext | null> => {
  await ensuring
  return await certificates.contextFor(host, isOwn)
}

runProxy({ port, data, contextFor }).catch((error: unknown) => {
  tellError('The proxy cannot listen', error)
  process.exit(1) // ends this thread: without listeners it is of no use, and the next one may have them
})
