// A reverse proxy of a Node package, or of Node alone, as its documentation shows it: `node node-proxy.mjs NAME BACKEND HTTP HTTPS KEY CERT`.
// Packages are found in the directory it is run in.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { createRequire } from 'node:module'

const [name, backend, httpPort, httpsPort, key, cert] = process.argv.slice(2)
const require = createRequire(`${process.cwd()}/`)
const tls = { key: readFileSync(key), cert: readFileSync(cert) }
const target = { host: '127.0.0.1', port: Number(backend) }
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 })

/** Both versions of HTTP over TLS, and HTTP/1.1 without. */
function listen(onRequest, onUpgrade, { withHttp2 }) {
  const secure = withHttp2
    ? http2.createSecureServer({ ...tls, allowHTTP1: true }, onRequest)
    : https.createServer(tls, onRequest)
  for (const [server, port] of [
    [http.createServer(onRequest), httpPort],
    [secure, httpsPort],
  ]) {
    if (onUpgrade !== null) server.on('upgrade', onUpgrade)
    server.on('error', (error) => console.error(error)).listen(Number(port), '127.0.0.1')
  }
}

const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade'])

/** Headers that may be passed on between any two versions. */
function passedOn(headers) {
  const kept = Object.entries(headers).filter(([header]) => !header.startsWith(':') && !hopByHop.has(header))
  return Object.fromEntries(kept)
}

const proxies = {
  'node:http': () => {
    listen(
      (request, response) => {
        const { method, url } = request
        const headers = { ...passedOn(request.headers), host: request.headers[':authority'] ?? request.headers.host }
        const upstream = http.request({ ...target, agent, method, path: url, headers }, (answer) => {
          response.writeHead(answer.statusCode, passedOn(answer.headers))
          answer.pipe(response)
        })
        upstream.on('error', () => response.destroy())
        request.pipe(upstream)
      },
      null,
      { withHttp2: true },
    )
  },
  'http-proxy': () => serveWith(require('http-proxy').createProxyServer({ target, agent })),
  'http-proxy-3': () => serveWith(require('http-proxy-3').createProxyServer({ target, agent })),
  httpxy: () => serveWith(require('httpxy').createProxyServer({ target, agent })),
}

function serveWith(proxy) {
  proxy.on('error', () => undefined)
  listen(
    (request, response) => proxy.web(request, response),
    (request, socket, head) => proxy.ws(request, socket, head),
    { withHttp2: false },
  )
}

proxies[name]()
