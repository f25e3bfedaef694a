// Clients for tests: of node:http, node:https and node:http2, one connection each.
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { ProxyRig } from './proxy-rig.ts'

export interface Answer {
  readonly response: IncomingMessage
  /** latin1. */
  readonly body: string
}

export interface FetchOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly secure?: boolean
}

/** A request of HTTP/1.1 to `shop.localhost`, on a connection of its own. */
export async function fetchBy(rig: ProxyRig, path: string, options: FetchOptions = {}): Promise<Answer> {
  const request = openRequest(rig, path, options)
  request.end(options.body)
  return await answerTo(request)
}

/** The same, whose body is still to be written. */
export function openRequest(rig: ProxyRig, path: string, options: FetchOptions = {}): ClientRequest {
  const { method = 'GET', headers = {}, secure = false } = options
  const common = {
    method,
    path,
    host: '127.0.0.1',
    headers: { host: 'shop.localhost', ...headers },
    agent: false as const,
  }
  return secure
    ? httpsRequest({ ...common, port: rig.httpsPort, ca: rig.ca, servername: 'shop.localhost' })
    : httpRequest({ ...common, port: rig.httpPort })
}

/** The whole answer; rejects when it breaks off. */
export async function answerTo(request: ClientRequest): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject)
  })
  let body = ''
  response.setEncoding('latin1')
  for await (const chunk of response) body += String(chunk)
  return { response, body }
}

export async function openTls(rig: ProxyRig, protocols: readonly string[]): Promise<TLSSocket> {
  const socket = connectTls({
    port: rig.httpsPort,
    host: '127.0.0.1',
    servername: 'shop.localhost',
    ca: rig.ca,
    ALPNProtocols: [...protocols],
  })
  await once(socket, 'secureConnect')
  return socket
}

export interface Http2Client extends Disposable {
  readonly session: ClientHttp2Session
  request(headers: OutgoingHttpHeaders, body?: string): ClientHttp2Stream
  fetch(headers: OutgoingHttpHeaders, body?: string): Promise<Http2Answer>
}

export interface Http2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly body: string
}

export async function openHttp2(rig: ProxyRig): Promise<Http2Client> {
  const socket = await openTls(rig, ['h2'])
  const session = connectHttp2('https://shop.localhost', { createConnection: () => socket })
  session.on('error', () => undefined)
  const request = (headers: OutgoingHttpHeaders, body?: string): ClientHttp2Stream => {
    const stream = session.request(headers, { endStream: body === undefined && headers[':method'] !== 'POST' })
    if (body !== undefined) stream.end(body)
    return stream
  }
  return {
    session,
    request,
    fetch: async (headers, body) => await http2Answer(request(headers, body)),
    [Symbol.dispose]: () => session.destroy(),
  }
}

export async function http2Answer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders = {}
  let body = ''
  stream.once('response', (received) => (headers = received))
  stream.once('trailers', (received) => (trailers = received))
  stream.setEncoding('latin1')
  for await (const chunk of stream) body += String(chunk)
  return { status: Number(headers[':status']), headers, trailers, body }
}
