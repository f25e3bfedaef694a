// What the proxy is measured against, each in front of the same service, and that service.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const nodeProxy = fileURLToPath(new URL('node-proxy.mjs', import.meta.url))
const packages = ['http-proxy@1', 'http-proxy-3@1', 'httpxy@0']

const started = new Set()
process.on('exit', () => {
  for (const child of started) child.kill('SIGTERM')
})

/** It ends with this process, if not before. */
export function keep(child) {
  started.add(child)
  child.once('exit', () => started.delete(child))
  return child
}

/** Some free port of this machine. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/** What of the programs is missing. */
export function missingPrograms() {
  return ['caddy', 'nginx', 'openssl', 'wrk', 'h2load'].filter((program) => !has(program))
}

/** A directory with what all of them need: bodies of two sizes, and a certificate for `localhost`. */
export function prepare(directory) {
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'files'), { recursive: true })
  writeFileSync(join(directory, 'files/1k'), 'a'.repeat(1024))
  writeFileSync(join(directory, 'files/1m'), 'b'.repeat(1024 * 1024))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const { status } = spawnSync('openssl', [
    'req',
    ...options.split(' '),
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    key,
    '-out',
    cert,
  ])
  if (status !== 0) throw new Error('openssl makes no certificate')
  return { directory, key, cert }
}

/** nginx's configuration with one `server`; one worker, as all the others have one process. */
function nginxFile({ directory }, name, server) {
  const file = join(directory, `${name}.conf`)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${name}-${kind};`,
  )
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${directory}/${name}.pid; error_log /dev/null;
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 100000000; sendfile on; tcp_nopush on; open_file_cache max=100;
      default_type text/plain; ${temporary.join(' ')}
      ${server} }`,
  )
  return file
}

const nginx = (file) => ({ program: 'nginx', args: ['-c', file, '-g', 'user root;'] })

/** The service behind all proxies; serves `/1k` and `/1m`. */
export function backendCommand(place, port) {
  return nginx(nginxFile(place, 'backend', `server { listen 127.0.0.1:${port}; root ${place.directory}/files; }`))
}

const starts = {
  nginx: ({ place, backend, http, https }) =>
    nginx(
      nginxFile(
        place,
        `nginx-${http}`,
        `map $http_upgrade $wanted_connection { default upgrade; '' ''; }
         upstream service { server 127.0.0.1:${backend}; keepalive 256; keepalive_requests 100000000; }
         server { listen 127.0.0.1:${http}; listen 127.0.0.1:${https} ssl http2; http2_max_requests 100000000;
           ssl_certificate ${place.cert}; ssl_certificate_key ${place.key};
           location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Host $http_host;
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $wanted_connection; } }`,
      ),
    ),
  caddy: ({ place, backend, http, https }) => {
    const file = join(place.directory, `Caddyfile-${http}`)
    const proxy = `reverse_proxy 127.0.0.1:${backend}`
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
  default_bind 127.0.0.1
  log { 
    output discard 
  }
}
http://:${http} {
  ${proxy}
}
https://localhost:${https} {
  tls ${place.cert} ${place.key}
  ${proxy}
}
`,
    )
    return { program: 'caddy', args: ['run', '--config', file, '--adapter', 'caddyfile'] }
  },
  ...Object.fromEntries(
    ['node:http', 'http-proxy', 'http-proxy-3', 'httpxy'].map((name) => [
      name,
      ({ place, backend, http, https }) => ({
        program: process.execPath,
        args: [nodeProxy, name, backend, http, https, place.key, place.cert].map(String),
      }),
    ]),
  ),
}

/** The peers that are written for Node. */
export const nodePeers = new Set(['node:http', 'http-proxy', 'http-proxy-3', 'httpxy'])
/** Those that speak HTTP/2 with clients. */
export const http2Peers = new Set(['nginx', 'caddy', 'node:http'])

/** Gets the packages that the peers written for Node are. */
export function installPeers({ directory }) {
  spawnSync('npm', ['install', '--no-fund', '--no-audit', '--prefix', directory, ...packages])
}

/** Started, and listening: by name `{ http, https, pid }`. `dispose` ends them. */
export async function startPeers(place, backend, names = Object.keys(starts)) {
  const children = []
  const peers = {}
  for (const name of names) {
    const start = starts[name]
    const [http, https] = [await freePort(), await freePort()]
    children.push(await startListening(start({ place, backend, http, https }), place.directory, https))
    peers[name] = { http, https, pid: children.at(-1).pid }
  }
  return { peers, dispose: () => Promise.all(children.map(end)) }
}

/** Runs a program until something listens on a port. */
export async function startListening({ program, args }, directory, port) {
  const env = { PATH: process.env.PATH, HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory }
  const child = keep(spawn(program, args, { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] }))
  let errors = ''
  child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-2000)))
  for (let tries = 0; !(await isListening(port)); tries += 1) {
    if (child.exitCode !== null || tries > 200)
      throw new Error(`${program} ${args.join(' ')} does not listen:\n${errors}`)
    await sleep(25)
  }
  return child
}

function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await once(child, 'exit')
  clearTimeout(killer)
}
