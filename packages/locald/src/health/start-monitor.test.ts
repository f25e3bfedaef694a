import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readProcesses } from '../lib/process-tree.ts'
import { FakeClock } from './testing/fake-clock.ts'
import { ReportLog } from './testing/report-log.ts'
import { TestService } from './testing/service.ts'
import { ListenerWatch } from './listener-watch.ts'
import { startMonitor } from './start-monitor.ts'
import type { Server } from 'node:net'
import type { HealthMonitor, HealthSubject } from './monitor.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ family }) => family === 'IPv6'))
const timing = { intervalMs: 50, timeoutMs: 1000, retries: 2, startPeriodMs: 0 }
const http = { type: 'http', method: 'GET', path: '/', status: [[200, 399]], headers: {}, ...timing } as const
const server = "http.createServer((request, response) => response.end('ok'))"

let listeners: ListenerWatch
let monitors: HealthMonitor[]

beforeEach(() => {
  listeners = new ListenerWatch()
  monitors = []
})
afterEach(() => {
  for (const monitor of monitors) monitor[Symbol.dispose]()
  listeners[Symbol.dispose]()
})

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const holder = await hold(0)
  await letGo(holder.server)
  return holder.port
}

async function hold(port: number, host = '127.0.0.1'): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

async function letGo(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}

function monitorOf(service: TestService, changes: Partial<HealthSubject>, clock?: FakeClock) {
  const log = new ReportLog()
  const subject: HealthSubject = {
    run: 'run',
    identity: service.identity,
    startedAt: clock?.now() ?? service.startedAt,
    port: null,
    listening: 'must',
    portDiscovery: 'auto',
    env: { PATH: process.env['PATH'] ?? '' },
    cwd: tmpdir(),
    wasHealthy: false,
    ...changes,
  }
  const lines = (_run: string, signal: AbortSignal): AsyncIterable<string> => service.lines(signal)
  const dependencies = { lines, listeners, random: () => 0, ...(clock === undefined ? {} : { clock }) }
  const monitor = startMonitor(subject, log.report, dependencies)
  monitors.push(monitor)
  return { log, monitor }
}

describe('a service that must listen', () => {
  test.each([
    ['on IPv4', '127.0.0.1'],
    ['on the IPv4 wildcard', '0.0.0.0'],
    ...(hasIpv6
      ? [
          ['on IPv6 alone', '::1'],
          ['on both, standing only in the IPv6 table', '::'],
        ]
      : []),
  ])('is healthy by tcp once it listens on its port %s', async (_name, host) => {
    const port = await freePort()
    await using service = TestService.start(`listen(net.createServer(), ${port}, '${host}')`)
    const { log, monitor } = monitorOf(service, { port })
    const report = await log.first('healthy')
    expect(report).toMatchObject({ source: 'tcp', ports: [port], warnings: [] })
    expect(report.host).toBe(host === '::1' ? '::1' : undefined)
    expect(monitor.source).toBe('tcp')
  })

  test('sees no connection from the check', async () => {
    const port = await freePort()
    await using service = TestService.start(
      `listen(net.createServer(() => say('connected')), ${port}); globalThis.told = () => say('asked')`,
    )
    const { log } = monitorOf(service, { port, check: { type: 'tcp', owner: 'tree', ...timing } })
    await log.first('healthy')
    service.tell('x')
    await service.said('asked')
    for await (const line of service.lines(AbortSignal.abort())) expect(line).not.toBe('connected')
  })

  test('is healthy when a grandchild listens, also one that left its session', async () => {
    const port = await freePort()
    const inner = `require('node:net').createServer().listen(${port}, '127.0.0.1')`
    await using service = TestService.start(
      `require('node:child_process').spawn('/bin/sh', ['-c', 'setsid "$0" -e "$1" & exit 0', process.execPath, ${JSON.stringify(inner)}])`,
    )
    const { log } = monitorOf(service, { port })
    expect(await log.first('healthy')).toMatchObject({ ports: [port] })
  })

  test('is healthy when it listens late, and within 60 ms of that', async () => {
    const port = await freePort()
    await using service = TestService.start(
      `globalThis.told = () => { listen(net.createServer(), ${port}, '127.0.0.1', () => say('at ' + Date.now())) }`,
    )
    const { log } = monitorOf(service, { port })
    await log.first('checked')
    service.tell('listen')
    await log.first('healthy')
    expect(Date.now() - Number(await service.said('at '))).toBeLessThan(60)
  })

  test("is unhealthy, and never healthy, by somebody else's listener, whom the report names", async () => {
    const { server, port } = await hold(0)
    await using service = TestService.start('')
    const { log } = monitorOf(service, { port })
    const report = await log.first('unhealthy')
    expect(report.message).toMatch(new RegExp(`^Port ${port} is held by pid ${process.pid} \\(.*node.*\\)$`))
    await letGo(server)
    await log.first('checked')
    expect(log.all.map(({ type }) => type)).not.toContain('healthy')
  })

  test('is healthy when the other one leaves and it takes the port', async () => {
    const { server, port } = await hold(0)
    await using service = TestService.start(`globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`)
    const { log } = monitorOf(service, { port })
    await log.first('unhealthy')
    await letGo(server)
    service.tell('listen')
    await log.first('healthy')
  })

  test("is not healthy by another run's listener", async () => {
    const port = await freePort()
    await using one = TestService.start(`listen(net.createServer(), ${port}, '127.0.0.1')`)
    await using two = TestService.start('')
    const first = monitorOf(one, { port })
    const second = monitorOf(two, { port })
    await first.log.first('healthy')
    expect((await second.log.first('unhealthy')).message).toContain(`pid ${one.identity.pid}`)
  })

  test('follows a reload that binds a new socket', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      let current = net.createServer(); listen(current, ${port}, '127.0.0.1')
      globalThis.told = () => { current.close(); current = net.createServer(); listen(current, ${port}, '127.0.0.1') }
    `)
    const clock = new FakeClock()
    const { log } = monitorOf(service, { port, check: { type: 'tcp', owner: 'tree', ...timing, retries: 1 } }, clock)
    await log.first('healthy')
    using watched = listeners.watch({ identity: service.identity, ports: [port], changed: () => {} })
    const [before] = (await watched.check()).own
    service.tell('rebind')
    await vi.waitUntil(async () => {
      const { own } = await watched.check()
      return own.length === 1 && own[0]?.inode !== before?.inode
    })
    await clock.advance(500)
    expect(log.all.filter(({ type }) => type !== 'checked')).toHaveLength(1)
  })

  test('becomes unhealthy when it stops listening, and healthy again without waiting for the interval', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      let current
      globalThis.told = (word) => word === 'close' ? current.close() : listen((current = net.createServer()), ${port}, '127.0.0.1')
      told('open')
    `)
    const { log } = monitorOf(service, { port, check: { type: 'tcp', owner: 'tree', ...timing } })
    await log.first('healthy')
    service.tell('close')
    await log.first('unhealthy')
    const before = log.all.length
    service.tell('open')
    await log.first('healthy', before)
  })

  describe('but listens elsewhere', () => {
    const elsewhere = "listen(net.createServer(), 0, '127.0.0.1')"

    test('is healthy there under discovery auto, with a warning that names the fix', async () => {
      const port = await freePort()
      await using service = TestService.start(elsewhere)
      const { log } = monitorOf(service, { port })
      const found = await service.port()
      const report = await log.first('healthy')
      expect(report).toMatchObject({ source: 'tcp', ports: [found] })
      expect(report.warnings.join()).toContain(`\`port = ${found}\``)
    })

    test('is healthy there under discovery scan, without a warning', async () => {
      const port = await freePort()
      await using service = TestService.start(elsewhere)
      const { log } = monitorOf(service, { port, portDiscovery: 'scan' })
      expect(await log.first('healthy')).toMatchObject({ ports: [await service.port()], warnings: [] })
    })

    test('is unhealthy under discovery off, and says where it listens', async () => {
      const port = await freePort()
      await using service = TestService.start(elsewhere)
      const { log } = monitorOf(service, { port, portDiscovery: 'off' })
      const report = await log.first('unhealthy')
      expect(report.message).toContain(`Listens on port ${await service.port()}, not on port ${port}`)
      expect(log.all.map(({ type }) => type)).not.toContain('healthy')
    })

    test('is healthy on its own port without a warning when that follows soon', async () => {
      const port = await freePort()
      await using service = TestService.start(`
        listen(net.createServer(), 0, '127.0.0.1', () => listen(net.createServer(), ${port}, '127.0.0.1'))
      `)
      const { log } = monitorOf(service, { port })
      expect(await log.first('healthy')).toMatchObject({ ports: [port, await service.port()], warnings: [] })
    })

    test('moves to its own port when that follows late', async () => {
      const port = await freePort()
      await using service = TestService.start(
        `${elsewhere}; globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`,
      )
      const { log } = monitorOf(service, { port })
      await log.first('healthy')
      service.tell('listen')
      const moved = await log.first('healthy', log.all.length)
      expect(moved).toMatchObject({ ports: [port, await service.port()], warnings: [] })
    })
  })
})

describe('a service that may listen', () => {
  test('is healthy by tcp at its first listener', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(net.createServer(), ${port}, '127.0.0.1')`)
    const { log } = monitorOf(service, { port, listening: 'may', startedAt: Date.now() + 60_000 })
    expect(await log.first('healthy')).toMatchObject({ source: 'tcp', ports: [port] })
  })

  test('is healthy by process after a second of running, and by tcp when it listens later', async () => {
    const port = await freePort()
    await using service = TestService.start(`globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`)
    const { log, monitor } = monitorOf(service, { port, listening: 'may' })
    const report = await log.first('healthy')
    expect(report).toMatchObject({ source: 'process', ports: [] })
    expect(Date.now() - service.startedAt).toBeGreaterThanOrEqual(1000)
    service.tell('listen')
    await log.first('healthy', 0, ({ source, ports }) => source === 'tcp' && ports[0] === port)
    expect(monitor.source).toBe('tcp')
  })

  test('is healthy by process again when a passing listener elsewhere goes away', async () => {
    const clock = new FakeClock()
    await using service = TestService.start(`
      const passing = net.createServer(); listen(passing, 0, '127.0.0.1')
      globalThis.told = () => passing.close()
    `)
    const port = await freePort()
    const { log } = monitorOf(service, { port, listening: 'may', startedAt: clock.now() - 5000 }, clock)
    await log.first('healthy', 0, ({ source }) => source === 'tcp')
    using watched = listeners.watch({ identity: service.identity, ports: [], changed: () => {} })
    service.tell('close')
    await vi.waitUntil(async () => (await watched.check()).own.length === 0)
    await clock.advance(10_000)
    expect(log.all.at(-1)).toMatchObject({ type: 'healthy', source: 'process', ports: [] })
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })

  describe('and listens elsewhere', () => {
    const elsewhere = "listen(net.createServer(), 0, '127.0.0.1')"

    test.each(['auto', 'scan'] as const)('is healthy there at once under discovery %s', async (portDiscovery) => {
      const port = await freePort()
      await using service = TestService.start(elsewhere)
      const { log } = monitorOf(service, { port, portDiscovery, listening: 'may', startedAt: Date.now() + 60_000 })
      const ports = [await service.port()]
      expect(await log.first('healthy')).toMatchObject({ source: 'tcp', ports, warnings: [] })
    })

    test('is warned of with the fix under discovery auto when it stays there', async () => {
      const port = await freePort()
      await using service = TestService.start(elsewhere)
      const { log } = monitorOf(service, { port, listening: 'may' })
      const found = await service.port()
      const report = await log.first('healthy', 0, ({ warnings }) => warnings.length > 0)
      expect(report).toMatchObject({ source: 'tcp', ports: [found] })
      expect(report.warnings.join()).toContain(`\`port = ${found}\``)
    })

    test('is unhealthy under discovery off, also when it was healthy by running, until it listens there no more', async () => {
      const port = await freePort()
      await using service = TestService.start(`
        const other = net.createServer()
        globalThis.told = (word) => word === 'close' ? other.close() : listen(other, 0, '127.0.0.1')
      `)
      const { log } = monitorOf(service, { port, portDiscovery: 'off', listening: 'may' })
      await log.first('healthy')
      service.tell('listen')
      const report = await log.first('unhealthy')
      expect(report.message).toContain(`Listens on port ${await service.port()}, not on port ${port}`)
      service.tell('close')
      expect(await log.first('healthy', log.all.length)).toMatchObject({ source: 'process', ports: [] })
    })
  })

  test('is unhealthy when it stops listening on its port', async () => {
    const clock = new FakeClock()
    const port = await freePort()
    await using service = TestService.start(`
      const own = net.createServer(); listen(own, ${port}, '127.0.0.1')
      globalThis.told = () => own.close()
    `)
    const { log } = monitorOf(service, { port, listening: 'may', startedAt: clock.now() }, clock)
    await log.first('healthy', 0, ({ source }) => source === 'tcp')
    using watched = listeners.watch({ identity: service.identity, ports: [], changed: () => {} })
    service.tell('close')
    await vi.waitUntil(async () => (await watched.check()).own.length === 0)
    await clock.advance(30_000)
    expect(log.all.at(-1)).toMatchObject({ type: 'unhealthy', source: 'tcp' })
  })
})

describe('a service that never listens', () => {
  test('is healthy by process after a second of running', async () => {
    const clock = new FakeClock()
    await using service = TestService.start('')
    const { log } = monitorOf(service, { listening: 'never' }, clock)
    await clock.advance(999)
    expect(log.all.map(({ type }) => type)).toEqual(['checked'])
    await clock.advance(1)
    expect(log.all.at(-1)).toMatchObject({ type: 'healthy', source: 'process' })
    expect(clock.nextInMs).toBeNull()
  })

  test('is healthy at once when it was before the daemon was replaced', async () => {
    await using service = TestService.start('')
    const { log } = monitorOf(service, { listening: 'never', startedAt: Date.now(), wasHealthy: true })
    await log.first('healthy')
    expect(log.all).toHaveLength(1)
  })
})

describe('an http check', () => {
  test('is healthy when 503 becomes 200', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      let ready = false
      globalThis.told = () => { ready = true }
      listen(http.createServer((request, response) => response.writeHead(ready ? 200 : 503).end(ready ? 'up' : 'starting')), ${port}, '127.0.0.1')
    `)
    const { log } = monitorOf(service, { port, check: http })
    const refused = await log.first('checked', 0, ({ message }) => message.includes('503'))
    expect(refused.output).toBe('starting')
    service.tell('ready')
    expect(await log.first('healthy')).toMatchObject({ source: 'http', ports: [port] })
  })

  test.runIf(hasIpv6)('reaches a service on IPv6 alone', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(${server}, ${port}, '::1')`)
    const { log } = monitorOf(service, { port, check: http })
    expect(await log.first('healthy')).toMatchObject({ ports: [port], host: '::1' })
  })

  test('goes where the service really listens', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(${server}, 0, '127.0.0.1')`)
    const { log } = monitorOf(service, { port, check: http })
    const report = await log.first('healthy')
    expect(report).toMatchObject({ source: 'http', ports: [await service.port()] })
    expect(report.warnings).toHaveLength(1)
  })

  test.each([
    ['by default', false],
    ['named in the check', true],
  ])("does not ask somebody else's server on the service's own port, %s", async (_name, isNamed) => {
    const { server, port } = await hold(0)
    let connections = 0
    server.on('connection', (socket) => {
      connections++
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    await using service = TestService.start('')
    const { log } = monitorOf(service, { port, check: isNamed ? { ...http, port } : http })
    expect((await log.first('unhealthy')).message).toContain(`held by pid ${process.pid}`)
    expect(connections).toBe(0)
    await letGo(server)
  })

  test('asks whoever serves another port than its own, which stays the port it is reached at', async () => {
    const outside = await freePort()
    await using other = TestService.start(`listen(${server}, ${outside}, '127.0.0.1')`)
    await using service = TestService.start('')
    await other.port()
    const { log } = monitorOf(service, { port: await freePort(), check: { ...http, port: outside } })
    expect(await log.first('healthy')).toMatchObject({ source: 'http', ports: [] })
  })

  test('gives up on one that hangs, asks again, and leaves no connection open at disposal', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      let open = 0, asked = 0
      const server = http.createServer(() => { if (++asked === 2) say('asked twice') })
      server.on('connection', (socket) => { open++; socket.on('close', () => { if (--open === 0 && asked >= 2) say('all closed') }) })
      listen(server, ${port}, '127.0.0.1')
    `)
    const { log, monitor } = monitorOf(service, { port, check: { ...http, timeoutMs: 100 } })
    await log.first('checked', 0, ({ message }) => message.includes('no answer within 100 ms'))
    await service.said('asked twice')
    monitor[Symbol.dispose]()
    await service.said('all closed')
  })

  test('becomes unhealthy by failures in a row, and healthy by one success', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      let code = 200
      globalThis.told = (word) => { code = Number(word) }
      listen(http.createServer((request, response) => response.writeHead(code).end()), ${port}, '127.0.0.1')
    `)
    const { log } = monitorOf(service, { port, check: http })
    await log.first('healthy')
    service.tell('500')
    expect((await log.first('unhealthy')).message).toContain('answered 500')
    const before = log.all.length
    service.tell('200')
    await log.first('healthy', before)
  })
})

describe('a tcp check', () => {
  test('of any owner takes what is served from outside the tree', async () => {
    const { server, port } = await hold(0)
    await using service = TestService.start('')
    const { log } = monitorOf(service, { port, check: { type: 'tcp', owner: 'any', ...timing } })
    expect(await log.first('healthy')).toMatchObject({ source: 'tcp', ports: [port] })
    await letGo(server)
    await log.first('unhealthy')
  })

  test('of any owner without a port says so', async () => {
    await using service = TestService.start('')
    const { log } = monitorOf(service, { check: { type: 'tcp', owner: 'any', ...timing } })
    expect((await log.first('unhealthy')).message).toContain('no port')
  })

  test('of another port does not accept the own port, which stays the first', async () => {
    const port = await freePort()
    const admin = await freePort()
    await using service = TestService.start(`
      listen(net.createServer(), ${port}, '127.0.0.1')
      globalThis.told = () => listen(net.createServer(), ${admin}, '127.0.0.1')
    `)
    const { log } = monitorOf(service, { port, check: { type: 'tcp', port: admin, owner: 'tree', ...timing } })
    await service.port()
    service.tell('listen')
    expect(await log.first('healthy')).toMatchObject({ ports: [port, admin] })
    expect(log.all.filter(({ type }) => type === 'healthy')).toHaveLength(1)
  })
})

describe('a command check', () => {
  test('is healthy when the command that failed passes, in the environment of the service', async () => {
    const port = await freePort()
    await using service = TestService.start(`globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`)
    const env = { PATH: process.env['PATH'] ?? '', PORT: String(port) }
    const command = [
      process.execPath,
      '-e',
      "require('net').connect(process.env.PORT, '127.0.0.1').on('connect', () => process.exit(0))",
    ]
    const { log } = monitorOf(service, { port, env, check: { type: 'command', command, ...timing, timeoutMs: 5000 } })
    await log.first('checked')
    service.tell('listen')
    expect(await log.first('healthy')).toMatchObject({ source: 'command', ports: [port] })
  })

  test('shows what the command printed when it failed', async () => {
    await using service = TestService.start('')
    const check = { type: 'command', command: 'echo no database; exit 7', ...timing } as const
    const { log } = monitorOf(service, { check })
    expect(await log.first('checked')).toMatchObject({
      source: 'command',
      message: 'The health check exited with code 7',
      output: 'no database',
    })
  })

  test('that hangs is ended with its children at disposal', async () => {
    await using service = TestService.start('')
    const mark = `3${process.pid}.5`
    const check = { type: 'command', command: `sleep ${mark} & sleep ${mark}`, ...timing, timeoutMs: 60_000 } as const
    const { monitor } = monitorOf(service, { check })
    await until(() => sleepers(mark) === 2)
    monitor[Symbol.dispose]()
    await until(() => sleepers(mark) === 0)
  })
})

describe('a log check', () => {
  test('is healthy by a line that came in two pieces, for good', async () => {
    await using service = TestService.start(
      "process.stdout.write('server is rea'); globalThis.told = () => process.stdout.write('dy on 80\\n')",
    )
    const { log } = monitorOf(service, { check: { type: 'log', pattern: 'ready on \\d+$', ...timing } })
    expect(await log.first('checked')).toMatchObject({ source: 'log' })
    service.tell('finish')
    expect(await log.first('healthy')).toMatchObject({ source: 'log' })
  })

  test('sees a line that came before it began, and through colours', async () => {
    await using service = TestService.start("say('\\u001b[32mready\\u001b[39m in 20 ms')")
    await service.said('')
    const { log } = monitorOf(service, { check: { type: 'log', pattern: '^ready in', ...timing } })
    await log.first('healthy')
  })

  test('says that a pattern cannot be used', async () => {
    await using service = TestService.start('')
    const { log } = monitorOf(service, { check: { type: 'log', pattern: '(', ...timing } })
    expect((await log.first('unhealthy')).message).toContain('"("')
  })
})

describe.each([
  ['command', { type: 'command', command: 'true', ...timing, timeoutMs: 5000 }],
  ['log', { type: 'log', pattern: '^listening', ...timing }],
  ['notify', { type: 'notify', ...timing }],
] as const)('discovery of the port beside a %s check', (source, check) => {
  const elsewhere = "listen(net.createServer(), 0, '127.0.0.1')"
  const begin = (service: TestService, changes: Partial<HealthSubject>) => {
    const begun = monitorOf(service, { check: { ...check, intervalMs: 60_000 }, ...changes })
    if (source === 'notify') begun.monitor.notified()
    return begun
  }

  test('takes where it listens, with a warning that names the fix', async () => {
    const port = await freePort()
    await using service = TestService.start(elsewhere)
    const { log } = begin(service, { port })
    const found = await service.port()
    const report = await log.first('healthy', 0, ({ warnings }) => warnings.length > 0)
    expect(report).toMatchObject({ source, ports: [found] })
    expect(report.warnings.join()).toContain(`\`port = ${found}\``)
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })

  test('has the port of its own when it listens there, and others beside it', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(net.createServer(), ${port}, '127.0.0.1', () => { ${elsewhere} })`)
    const { log } = begin(service, { port, portDiscovery: 'off' })
    await log.first('healthy', 0, ({ ports }) => ports[0] === port)
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })

  test.runIf(hasIpv6)('tells of a service on IPv6 alone by which address it is reached', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(net.createServer(), ${port}, '::1')`)
    const { log } = begin(service, { port })
    expect(await log.first('healthy', 0, ({ ports }) => ports[0] === port)).toMatchObject({ host: '::1' })
  })

  test('is an error under discovery off', async () => {
    const port = await freePort()
    await using service = TestService.start(elsewhere)
    const { log } = begin(service, { port, portDiscovery: 'off' })
    const report = await log.first('unhealthy')
    expect(report.message).toContain(`Listens on port ${await service.port()}, not on port ${port}`)
    expect(report.message).toContain('port_discovery is "off"')
  })

  test('delays nothing, and follows a service that listens later and moves then', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      say('listening soon')
      let current = net.createServer()
      globalThis.told = () => { current.close(); current = net.createServer(); ${elsewhere.replace('net.createServer()', 'current')} }
    `)
    const { log } = begin(service, { port, portDiscovery: 'scan' })
    expect(await log.first('healthy')).toMatchObject({ source, ports: [] })
    service.tell('listen')
    const first = await log.first('healthy', 0, ({ ports }) => ports.length > 0)
    expect(first).toMatchObject({ source, ports: [expect.any(Number)] })
    service.tell('move')
    const second = await log.first('healthy', log.all.indexOf(first), ({ ports }) => ports[0] !== first.ports[0])
    expect(second).toMatchObject({ source, ports: [expect.any(Number)] })
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })

  test('is none of a service that never listens', async () => {
    await using service = TestService.start(elsewhere)
    await service.port()
    const { log } = begin(service, { listening: 'never' })
    expect(await log.first('healthy')).toMatchObject({ source, ports: [] })
  })
})

describe('a service that moves away from its port', () => {
  const slow = { ...timing, intervalMs: 10_000, retries: 1 }

  test.each([
    ['without a check', undefined],
    ['with a tcp check', { type: 'tcp', owner: 'tree', ...slow }],
    ['with an http check', { ...http, ...slow }],
    ['with a command check', { type: 'command', command: 'true', ...slow, timeoutMs: 5000 }],
  ] as const)('is followed soon, %s', async (_name, check) => {
    const port = await freePort()
    await using service = TestService.start(`
      const first = ${server}; listen(first, ${port}, '127.0.0.1')
      globalThis.told = () => { first.close(); say('moving'); listen(${server}, 0, '127.0.0.1') }
    `)
    const { log } = monitorOf(service, { port, ...(check === undefined ? {} : { check }) })
    await log.first('healthy', 0, ({ ports }) => ports[0] === port)
    service.tell('move')
    await service.said('moving')
    const start = Date.now()
    await log.first('healthy', 0, ({ ports }) => ports[0] !== undefined && ports[0] !== port)
    expect(Date.now() - start).toBeLessThan(3000)
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })

  test('is not called unhealthy by a check that comes meanwhile, even if one failure is enough', async () => {
    const port = await freePort()
    await using service = TestService.start(`
      const first = ${server}; listen(first, ${port}, '127.0.0.1')
      globalThis.told = () => listen(${server}, 0, '127.0.0.1', () => first.close(() => say('moved')))
    `)
    const { log } = monitorOf(service, { port, check: { ...http, ...slow, intervalMs: 30 } })
    await log.first('healthy')
    service.tell('move')
    await service.said('moved')
    await log.first('healthy', 0, ({ ports }) => ports[0] !== port)
    expect(log.all.map(({ type }) => type)).not.toContain('unhealthy')
  })
})

describe('READY=1', () => {
  test('makes a service healthy before it listens, and is what is shown', async () => {
    const port = await freePort()
    await using service = TestService.start(`globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`)
    const { log, monitor } = monitorOf(service, { port })
    await log.first('checked')
    monitor.notified()
    expect(await log.first('healthy')).toMatchObject({ source: 'notify', ports: [] })
    service.tell('listen')
    await log.first('healthy', 0, ({ source, ports }) => source === 'notify' && ports[0] === port)
  })

  test('alone makes a service with a notify check healthy', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(net.createServer(), ${port}, '127.0.0.1')`)
    const { log, monitor } = monitorOf(service, { port, check: { type: 'notify', ...timing } })
    await service.port()
    expect(await log.first('checked')).toMatchObject({ source: 'notify' })
    monitor.notified()
    await log.first('healthy')
  })

  test('does not decide where another check was asked for', async () => {
    await using service = TestService.start('')
    const { log, monitor } = monitorOf(service, { check: { type: 'command', command: 'exit 1', ...timing } })
    monitor.notified()
    await log.first('checked')
    expect(log.all.map(({ type }) => type)).not.toContain('healthy')
  })
})

describe('a service taken over', () => {
  test('is reported healthy at once when its check holds', async () => {
    const port = await freePort()
    await using service = TestService.start(`listen(${server}, ${port}, '127.0.0.1')`)
    await service.port()
    const { log } = monitorOf(service, { port, wasHealthy: true, check: { ...http, intervalMs: 60_000 } })
    await log.first('healthy')
    expect(log.all).toHaveLength(1)
  })

  test('is believed at once where it listens, also when that is not its port', async () => {
    const port = await freePort()
    await using service = TestService.start("listen(net.createServer(), 0, '127.0.0.1')")
    const found = await service.port()
    const { log } = monitorOf(service, { port, wasHealthy: true })
    expect(await log.first('healthy')).toMatchObject({ ports: [found] })
    expect(log.all).toHaveLength(1)
  })

  test('is unhealthy after as many failures as for any other', async () => {
    await using service = TestService.start('')
    const { log } = monitorOf(service, { port: await freePort(), wasHealthy: true, check: { ...http, intervalMs: 20 } })
    await log.first('unhealthy')
    expect(log.all.map(({ type }) => type)).toEqual(['checked', 'unhealthy'])
  })
})

test('a monitor that was disposed of reports nothing more', async () => {
  const port = await freePort()
  await using service = TestService.start(`globalThis.told = () => listen(net.createServer(), ${port}, '127.0.0.1')`)
  const gone = monitorOf(service, { port })
  const control = monitorOf(service, { port })
  await gone.log.first('checked')
  gone.monitor[Symbol.dispose]()
  const count = gone.log.all.length
  service.tell('listen')
  await control.log.first('healthy')
  expect(gone.log.all).toHaveLength(count)
})

function sleepers(mark: string): number {
  return [...readProcesses().values()].filter(
    ({ alive, name, pid }) => alive && name === 'sleep' && commandOf(pid) === mark,
  ).length
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1]
  } catch {
    return undefined // it has ended
  }
}

async function until(isSo: () => boolean): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 10_000, interval: 5 })
}
