import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isBlockedPort } from '../lib/blocked-ports.ts'
import { closeListener, listenLoopback } from '../lib/loopback-listener.ts'
import { ProxyListeners } from './proxy-listeners.ts'

let dir = ''
const open: ProxyListeners[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'locald-listeners-'))
})
afterEach(() => {
  for (const each of open.splice(0)) each.close()
  rmSync(dir, { recursive: true, force: true })
})

const logged: string[] = []
const damaged: string[] = []
const logger = {
  log: (_level: string, message: string, fields?: object) => void logged.push(`${message} ${JSON.stringify(fields)}`),
}
const file = (): string => join(dir, 'ports.json')

/** Free ones, far apart. */
function freePorts(): {
  readonly https: { usual: number; first: number }
  readonly http: { usual: number; first: number }
} {
  const [a = 0, b = 0, c = 0, d = 0] = Array.from({ length: 4 }, () => {
    const listener = listenLoopback(0)
    closeListener(listener)
    return listener.port
  })
  return { https: { usual: a, first: b }, http: { usual: c, first: d } }
}

function listeners(
  ports: ReturnType<typeof freePorts>,
  env: Readonly<Record<string, string | undefined>> = {},
): { readonly portsOf: (tls: boolean) => readonly number[]; readonly owner: ProxyListeners } {
  const owner = new ProxyListeners({ file: file(), env, logger, ports, onDamaged: (message) => damaged.push(message) })
  open.push(owner)
  const portsOf = (tls: boolean): readonly number[] => [
    ...new Set(owner.ensure().flatMap((listener) => (listener.tls === tls ? [listener.port] : []))),
  ]
  return { portsOf, owner }
}

/** Another program's. */
async function taken(port: number, host = '127.0.0.1'): Promise<Server> {
  const server = createServer().listen(port, host)
  await once(server, 'listening')
  return server
}

async function free(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

test('the usual ports are taken when they can be had, each on both families', () => {
  const ports = freePorts()
  const { owner } = listeners(ports)
  const opened = owner.ensure().map(({ port, family, tls }) => `${tls ? 'https' : 'http'} ${family} ${port}`)
  expect(opened.toSorted()).toEqual(
    [4, 6]
      .flatMap((family) => [`http ${family} ${ports.http.usual}`, `https ${family} ${ports.https.usual}`])
      .toSorted(),
  )
})

test('a usual port that somebody has, were it on IPv6 alone, is replaced by the next that is free, and that is kept', async () => {
  const ports = freePorts()
  const others = [await taken(ports.https.usual, '::1'), await taken(ports.https.first)]
  const before = listeners(ports)
  const [chosen = 0] = before.portsOf(true)
  expect(chosen).toBeGreaterThan(ports.https.first)
  expect(isBlockedPort(chosen)).toBe(false)
  before.owner.close()
  await free(others[1] as Server)
  expect(listeners(ports).portsOf(true)).toEqual([chosen])
  await free(others[0] as Server)
})

test('a usual port that becomes free is added, comes first, and the other one stays', async () => {
  const ports = freePorts()
  const other = await taken(ports.https.usual)
  const { portsOf, owner } = listeners(ports)
  expect(portsOf(true)).toEqual([ports.https.first])
  await free(other)
  expect(portsOf(true)).toEqual([ports.https.usual, ports.https.first])
  owner.close()
  expect(listeners(ports).portsOf(true)).toEqual([ports.https.usual, ports.https.first])
})

test('a kept port that somebody took meanwhile is given up', async () => {
  const ports = freePorts()
  const other = await taken(ports.http.usual)
  const { portsOf, owner } = listeners(ports)
  expect(portsOf(false)).toEqual([ports.http.first])
  owner.close()
  const thief = await taken(ports.http.first)
  const [next] = listeners(ports).portsOf(false)
  expect(next).toBeGreaterThan(ports.http.first)
  await free(thief)
  await free(other)
})

test('without a right to ports below the first unprivileged one another is chosen', () => {
  const limit = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  const ports = freePorts()
  const wanted = { https: { ...ports.https, usual: 443 }, http: ports.http }
  const isRoot = process.geteuid?.() === 0
  const { portsOf } = listeners(wanted)
  if (isRoot) process.seteuid?.(65_534)
  try {
    expect(portsOf(true)).toContain(limit > 443 ? ports.https.first : 443)
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

test('a port that is fixed is that one or none; 0 is any, and the same again', async () => {
  const ports = freePorts()
  const fixed = { LOCALD_HTTPS_PORT: String(ports.https.first), LOCALD_HTTP_PORT: '0' }
  const before = listeners(ports, fixed)
  expect(before.portsOf(true)).toEqual([ports.https.first])
  const [any = 0] = before.portsOf(false)
  expect(any).toBeGreaterThan(1023)
  before.owner.close()
  const thief = await taken(ports.https.first)
  const after = listeners(ports, fixed)
  expect(after.portsOf(true)).toEqual([])
  expect(after.portsOf(false)).toEqual([any])
  expect(logged.at(-1)).toContain('Cannot open a port')
  await free(thief)
  expect(after.portsOf(true)).toEqual([ports.https.first])
  expect(listeners(ports, { LOCALD_HTTPS_PORT: 'https' }).portsOf(true)).toEqual([])
})

test('what an earlier keeper opened is taken over, and nothing opened besides', () => {
  const ports = freePorts()
  const { owner } = listeners(ports)
  const inherited = owner.ensure()
  const next = new ProxyListeners({
    file: file(),
    env: {},
    logger,
    ports,
    onDamaged: (message) => damaged.push(message),
  })
  next.adopt(inherited)
  expect(next.ensure()).toEqual(inherited)
})

test('a damaged file of choices is set aside and is as good as none', () => {
  const ports = freePorts()
  const texts = ['', '{', '[]', 'null', '{"https":"8443"}', '{"https":99999}', '{"version":2,"https":8443}']
  for (const text of texts) {
    writeFileSync(file(), text)
    damaged.length = 0
    const { portsOf, owner } = listeners(ports)
    expect(damaged).toEqual([expect.stringContaining('"ports.json" was damaged, or is of another version')])
    expect(portsOf(true)).toEqual([ports.https.usual])
    owner.close()
  }
})

test('the choice of an earlier version, which had no number, still holds', async () => {
  const ports = freePorts()
  const other = await taken(ports.https.usual)
  const kept = listenLoopback(0)
  closeListener(kept)
  writeFileSync(file(), JSON.stringify({ https: kept.port }))
  expect(listeners(ports).portsOf(true)).toEqual([kept.port])
  await free(other)
})

test('the choice is written with its version and as a whole', async () => {
  const ports = freePorts()
  const other = await taken(ports.https.usual)
  expect(listeners(ports).portsOf(true)).toEqual([ports.https.first])
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ version: 1, https: ports.https.first })
  expect(readdirSync(dir)).toEqual(['ports.json'])
  await free(other)
})
