import { expect, test } from 'vitest'
import { DnsServer } from '../dns-server.ts'
import { withNames } from '../hosts-block.ts'
import { resolvedDropIn } from '../resolved-drop-in.ts'
import { checkDns, checkHostsFile, checkLocalhostNames, checkOtherNames, checkPorts } from './name-checks.ts'

const knows = (addresses: Readonly<Record<string, readonly string[]>>) => (host: string) =>
  Promise.resolve(addresses[host] ?? [])

test('names below localhost: known, unknown to programs, or led elsewhere', async () => {
  const look = knows({ 'a.localhost': ['127.0.0.1', '::1'], 'c.localhost': ['203.0.113.9'] })
  expect(await checkLocalhostNames(['a.localhost'], look)).toMatchObject({ severity: 'ok' })
  expect(await checkLocalhostNames(['a.localhost', 'b.localhost'], look)).toMatchObject({
    severity: 'note',
    message: 'Programs do not find b.localhost',
    fix: 'locald admin sync-hosts',
  })
  expect(await checkLocalhostNames([], look)).toMatchObject({ message: 'Programs do not find names below localhost' })
  expect(await checkLocalhostNames(['c.localhost'], look)).toMatchObject({
    severity: 'error',
    message: '"c.localhost" leads to 203.0.113.9',
  })
})

test('other names have to lead here', async () => {
  const look = knows({ 'a.test': ['127.0.0.1'], 'b.test': ['127.0.0.1', '203.0.113.9'] })
  expect(await checkOtherNames(['x.localhost'], look)).toEqual([])
  expect(await checkOtherNames(['a.test'], look)).toMatchObject([{ severity: 'ok' }])
  expect(await checkOtherNames(['a.test', 'b.test', 'c.test'], look)).toMatchObject([
    { severity: 'error', message: 'b.test, c.test not found', explanation: expect.stringContaining('--dns test') },
  ])
})

test('the doctor never advises to take over a suffix of the internet', async () => {
  const explanationOf = async (...names: readonly string[]): Promise<unknown> =>
    (await checkOtherNames(names, knows({})))[0]?.explanation
  expect(await explanationOf('shop.example.com', 'shop.com')).toBe('No browser finds them.')
  expect(await explanationOf('shop.example.com', 'a.test', 'b.test', 'c.internal')).toBe(
    'No browser finds them. For every name below test, internal at once: locald admin setup --dns test --dns internal',
  )
})

test('a hosts file is up to date, out of date, damaged, or not ours', () => {
  const text = withNames('127.0.0.1 localhost\n', ['a.test', 'b.test'])
  const severityOf = (...args: Parameters<typeof checkHostsFile>): unknown => checkHostsFile(...args)[0]?.severity
  expect(severityOf('127.0.0.1 localhost\n', ['a.test'])).toBe('ok')
  expect(severityOf(text, ['a.test', 'b.test', '*.c.test'])).toBe('ok')
  expect(severityOf(text, null)).toBe('ok')
  expect(checkHostsFile(text, ['b.test', 'c.test'])).toMatchObject([
    { severity: 'warning', explanation: 'Not in it yet: c.test. Not in use any more: a.test.' },
  ])
  expect(severityOf(`${text}# locald end\n`, [])).toBe('warning')
  expect(severityOf(null, [])).toBe('warning')
})

test('ports: why addresses have one in them', () => {
  const trial = (port: number, result: 'free' | 'held' | 'refused') => ({
    port,
    result,
    holder: result === 'held' ? 'pid 7 (nginx)' : null,
  })
  const other = { http: 8080, https: 8443 }
  expect(checkPorts([], { http: 80, https: 443 })).toMatchObject([{ severity: 'ok' }])
  expect(checkPorts([trial(80, 'held'), trial(443, 'free')], other)).toMatchObject([
    { message: 'Port 80 is taken by pid 7 (nginx)' },
  ])
  expect(checkPorts([trial(80, 'refused'), trial(443, 'refused')], null)).toMatchObject([{ fix: 'locald admin setup' }])
  expect(checkPorts([trial(80, 'free'), trial(443, 'free')], other)).toMatchObject([{ fix: 'locald server restart' }])
  expect(checkPorts([trial(80, 'free'), trial(443, 'free')], null)).toMatchObject([{ severity: 'ok' }])
  expect(checkPorts([trial(80, 'held'), trial(443, 'free')], { http: 80, https: 8443 })).toMatchObject([
    { severity: 'note', fix: 'locald server restart' },
  ])
})

test('DNS is asked, not looked at', async () => {
  await using server = await DnsServer.open({ port: 0, suffixes: ['test'] }, { log: () => undefined })
  const setup = { port: server.port, suffixes: ['test'] }
  const dropIn = resolvedDropIn(setup)
  const look = knows({ 'locald-doctor.test': ['127.0.0.1', '::1'] })
  expect(await checkDns({ setup: null, isDaemonUp: true, dropIn: null, look })).toEqual([])
  expect(await checkDns({ setup: null, isDaemonUp: true, dropIn, look })).toMatchObject([{ severity: 'warning' }])
  expect(await checkDns({ setup, isDaemonUp: true, dropIn: null, look })).toMatchObject([
    { fix: 'locald admin setup --dns test' },
  ])
  expect(await checkDns({ setup, isDaemonUp: false, dropIn, look })).toMatchObject([{ severity: 'note' }])
  expect(await checkDns({ setup, isDaemonUp: true, dropIn, look })).toMatchObject([{ severity: 'ok' }])
  expect(await checkDns({ setup, isDaemonUp: true, dropIn, look: knows({}) })).toMatchObject([
    { severity: 'warning', fix: 'locald admin sync-hosts' },
  ])
  const elsewhere = { ...setup, port: 1 }
  expect(await checkDns({ setup: elsewhere, isDaemonUp: true, dropIn: resolvedDropIn(elsewhere), look })).toMatchObject(
    [{ severity: 'error' }],
  )
})
