// Requests by public names, without a resolver: to the proxy's port, with the name as the Host.
import { Agent, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { Harness } from './harness.ts'

export interface ProxyAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface ProxyRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Called once the request has been sent. */
  readonly onSent?: () => void
}

export interface ProxyClient extends Disposable {
  readonly port: number
  /** `http://web.shop.localhost:8080/path`, for what resolves such names by itself. */
  url(host: string, path?: string): string
  /** Rejects when no answer comes. */
  ask(host: string, path?: string, options?: ProxyRequest): Promise<ProxyAnswer>
}

/** A daemon must be running. Connections are kept. */
export async function proxyClient(harness: Harness): Promise<ProxyClient> {
  const { proxy } = await harness.serverStatus()
  if (proxy === null) throw new Error('There is no proxy')
  const agent = new Agent({ keepAlive: true })
  const port = proxy.http
  return {
    port,
    url: (host, path = '/') => `http://${host}:${port}${path}`,
    ask: async (host, path = '/', { method = 'GET', headers = {}, body, onSent } = {}) =>
      await new Promise<ProxyAnswer>((resolve, reject) => {
        const sent = request(
          { agent, host: '127.0.0.1', port, method, path, headers: { ...headers, host: `${host}:${port}` } },
          (response) => {
            let text = ''
            response.setEncoding('utf8')
            response.on('data', (chunk: string) => (text += chunk))
            response.on('error', reject)
            response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
          },
        )
        sent.on('error', reject)
        if (onSent !== undefined) sent.on('finish', onSent)
        sent.end(body)
      }),
    [Symbol.dispose]: () => agent.destroy(),
  }
}
