// The proxy beside others, all in front of the same service on the same machine, in turns.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import {
  backendCommand,
  end,
  freePort,
  http2Peers,
  installPeers,
  keep,
  missingPrograms,
  nodePeers,
  prepare,
  startListening,
  startPeers,
} from '../proxies.mjs'
import { median } from '../statistics.mjs'
import { measureMessages, startEcho } from '../websocket-echo.mjs'

const proxyThread = fileURLToPath(new URL('../proxy-thread.mjs', import.meta.url))
const authoritiesSource = fileURLToPath(
  new URL('../../packages/locald/src/certificates/authorities.ts', import.meta.url),
)

/** What is asked, and who can be asked it. */
const loads = [
  { what: 'HTTP/1.1, 1 KB', tool: 'wrk', scheme: 'http', file: '1k', connections: 32 },
  { what: 'HTTP/1.1, 1 MB', tool: 'wrk', scheme: 'http', file: '1m', connections: 8 },
  { what: 'HTTP/1.1 over TLS, 1 KB', tool: 'wrk', scheme: 'https', file: '1k', connections: 32 },
  { what: 'HTTP/1.1 over TLS, 1 MB', tool: 'wrk', scheme: 'https', file: '1m', connections: 8 },
  { what: 'HTTP/2 over TLS, 1 KB', tool: 'h2load', scheme: 'https', file: '1k', connections: 8, streams: 8 },
  { what: 'HTTP/2 over TLS, 1 MB', tool: 'h2load', scheme: 'https', file: '1m', connections: 4, streams: 2 },
]

/** Shown by themselves, beside ours. */
const others = [
  ['nginx', 'nginx'],
  ['caddy', 'Caddy'],
  ['http-proxy', 'http-proxy'],
]

export async function measure({ installation, quick }) {
  const missing = missingPrograms()
  if (missing.length > 0) {
    return [{ what: 'requests through the proxy', unit: '', skipped: `${missing.join(', ')} not on the PATH` }]
  }
  const place = prepare(mkdtempSync(join(tmpdir(), 'lb-proxy-')))
  const closing = []
  try {
    const backend = await freePort()
    const service = await startListening(backendCommand(place, backend), place.directory, backend)
    closing.push(() => end(service))
    const authorities = await makeAuthorities(place.directory)
    const ours = await startOurs(authorities, backend)
    closing.push(() => end(ours.child))
    installPeers(place)
    const { peers, dispose } = await startPeers(place, backend)
    closing.push(dispose)
    const run = (tool, args) => installation.run(tool, args)
    const context = { run, place, proxies: { locald: ours, ...peers }, backend, quick }
    const rows = []
    for (const load of loads) rows.push(...(await measureLoad(context, load)))
    return [...rows, ...(await measureLatency(context)), ...(await measureWebSockets(context, authorities))]
  } finally {
    for (const close of closing.toReversed()) await close()
    rmSync(place.directory, { recursive: true, force: true })
  }
}

/** The daemon makes them when a project comes up; here nobody does. */
async function makeAuthorities(directory) {
  const outDir = join(directory, 'built')
  await build({
    config: false,
    entry: { authorities: authoritiesSource },
    outDir,
    format: 'esm',
    noExternal: [/.*/],
    dts: false,
    logLevel: 'silent',
  })
  const { Authorities } = await import(join(outDir, 'authorities.mjs')).catch(
    () => import(join(outDir, 'authorities.js')),
  )
  const authorities = join(directory, 'ca')
  await Authorities.open(authorities).ensure(['localhost'])
  return authorities
}

/** On listening sockets that it inherits, as the daemon does from the keeper. */
async function startOurs(authorities, backend) {
  const servers = [createServer(), createServer()]
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  const [http, https] = servers.map((server) => server.address().port)
  const child = keep(
    spawn(process.execPath, [proxyThread, authorities, String(backend)], {
      stdio: ['ignore', 'pipe', 'inherit', ...servers.map((server) => server._handle.fd)],
    }),
  )
  for (const server of servers) server.close()
  await once(child.stdout, 'data')
  return { http, https, child }
}

async function measureLoad(context, load) {
  const asked = Object.entries(context.proxies).filter(
    ([name]) => load.tool === 'wrk' || name === 'locald' || http2Peers.has(name),
  )
  const seen = {}
  for (const [name, ports] of asked) {
    await applyLoad(context, load, ports, 1)
    seen[name] = []
  }
  for (let round = 0; round < (context.quick ? 1 : 5); round += 1) {
    for (const [name, ports] of asked) seen[name].push(await applyLoad(context, load, ports, context.quick ? 2 : 4))
  }
  const rateOf = (name) => median(seen[name].map(({ rate }) => rate))
  const timeOf = (name, key) => median(seen[name].map((result) => result[key]))
  const ratios = (name, key) => median(seen[name].map((result, round) => seen.locald[round][key] / result[key]))
  const peers = Object.keys(seen).filter((name) => nodePeers.has(name))
  const best = peers.reduce((one, other) => (rateOf(other) > rateOf(one) ? other : one))
  return [
    { what: `${load.what}: requests/s`, value: rateOf('locald'), unit: '/s' },
    { what: '… p50', value: timeOf('locald', 'p50'), unit: 'ms' },
    { what: '… p99', value: timeOf('locald', 'p99'), unit: 'ms' },
    ...others
      .filter(([name]) => name in seen)
      .flatMap(([name, title]) => [
        { what: `… requests/s of ${title}`, value: rateOf(name), unit: '/s' },
        { what: `… p50 of ${title}`, value: timeOf(name, 'p50'), unit: 'ms' },
        { what: `… p99 of ${title}`, value: timeOf(name, 'p99'), unit: 'ms' },
      ]),
    { what: '… requests/s ÷ Caddy', value: ratios('caddy', 'rate'), unit: '×', least: 1 },
    { what: '… p99 ÷ Caddy', value: ratios('caddy', 'p99'), unit: '×', limit: 1 },
    { what: `… requests/s ÷ ${best}, the fastest on Node`, value: ratios(best, 'rate'), unit: '×', least: 1.5 },
  ]
}

/** Requests a second, and milliseconds that 50 and 99 of 100 requests take at most. */
async function applyLoad({ run, place }, { tool, scheme, file, connections, streams }, ports, seconds) {
  const url = `${scheme}://localhost:${ports[scheme]}/${file}`
  if (tool === 'wrk') {
    const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}`, '--latency', url])
    if (/Non-2xx|Socket errors/u.test(stdout)) throw new Error(`wrk ${url}:\n${stdout}`)
    return wrkResult(stdout)
  }
  const log = join(place.directory, 'h2load.log')
  rmSync(log, { force: true })
  const { stdout } = await run('h2load', [
    '-t1',
    `-c${connections}`,
    `-m${streams}`,
    `-D${seconds}`,
    `--connect-to=127.0.0.1:${ports[scheme]}`,
    `--log-file=${log}`,
    url,
  ])
  const [, rate] = /finished in [^,]+, ([\d.]+) req\/s/u.exec(stdout) ?? []
  if (rate === undefined || /[1-9]\d* failed/u.test(stdout)) throw new Error(`h2load ${url}:\n${stdout}`)
  const times = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line.split('\t')[2]) / 1000)
  times.sort((one, other) => one - other)
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
  return { rate: Number(rate), p50: at(0.5), p99: at(0.99) }
}

function wrkResult(text) {
  const [, rate] = /Requests\/sec:\s+([\d.]+)/u.exec(text) ?? []
  const at = (share) => {
    const [, value, unit] = new RegExp(`\\b${share}%\\s+([\\d.]+)(us|ms|s)`, 'u').exec(text) ?? []
    return Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit]
  }
  return { rate: Number(rate), p50: at(50), p99: at(99) }
}

/** One request at a time: what the way through the proxy adds. */
async function measureLatency(context) {
  const load = { tool: 'wrk', scheme: 'http', file: '1k', connections: 1 }
  const added = []
  const seconds = context.quick ? 2 : 5
  for (let round = 0; round < (context.quick ? 1 : 5); round += 1) {
    const direct = await applyLoad(context, load, { http: context.backend }, seconds)
    added.push((await applyLoad(context, load, context.proxies.locald, seconds)).p50 - direct.p50)
  }
  return [{ what: 'one request at a time: p50 that the proxy adds', value: median(added), unit: 'ms', limit: 0.2 }]
}

async function measureWebSockets({ quick, place }, authorities) {
  const echo = await startEcho()
  const ours = await startOurs(authorities, echo.port)
  const names = others.map(([name]) => name)
  const { peers, dispose } = await startPeers(place, echo.port, names)
  try {
    const ms = quick ? 1000 : 3000
    const direct = await measureMessages(echo.port, 50, ms)
    const value = await measureMessages(ours.http, 50, ms)
    const rows = []
    for (const [name, title] of others) {
      rows.push({ what: `… through ${title}`, value: await measureMessages(peers[name].http, 50, ms), unit: '/s' })
    }
    return [
      { what: 'WebSocket messages/s there and back, 50 connections', value, unit: '/s', least: 10_000 },
      { what: '… without a proxy', value: direct, unit: '/s' },
      ...rows,
    ]
  } finally {
    await dispose()
    await end(ours.child)
    echo.close()
  }
}
