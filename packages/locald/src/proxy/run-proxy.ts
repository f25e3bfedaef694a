// What the proxy's thread does: serves what it is given, as the daemon tells it.
import type { MessagePort } from 'node:worker_threads'
import type { FromProxy, ProxyThreadData, ToProxy } from './messages.ts'
import { Proxy } from './proxy.ts'
import type { ProxyOptions } from './proxy.ts'

export interface RunProxyOptions {
  readonly port: MessagePort
  readonly data: ProxyThreadData
  readonly contextFor: ProxyOptions['contextFor']
}

/** Resolves when connections are accepted: not before it is known what leads where. Ends when the daemon says so. */
export async function runProxy({ port, data, contextFor }: RunProxyOptions): Promise<void> {
  const send = (message: FromProxy): void => port.postMessage(message)
  const proxy = new Proxy({ send, contextFor })
  await new Promise<void>((resolve) => {
    port.on('message', (message: ToProxy) => {
      proxy.receive(message)
      if (message.type === 'routes') resolve()
      if (message.type === 'close') port.close()
    })
  })
  await proxy.listen(data.listeners)
  send({ type: 'listening' })
}
