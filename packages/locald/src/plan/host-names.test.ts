import { expect, test } from 'vitest'
import { hostNamesOf, hostsOf } from './host-names.ts'
import { configOf } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

const place = { file: '/home/me/shop/locald.toml', line: 1, column: 1 }
const web: ServiceSketch = { listening: 'must' }
const worker: ServiceSketch = { type: 'worker', listening: 'never' }
const container = (port: number): ServiceSketch => ({
  type: 'container',
  listening: 'must',
  container: { image: 'x', ports: [port], volumes: [] },
})

type Rest = Parameters<typeof configOf>[1]

/** `host service /prefix→service …` of each. */
function namesOf(services: Readonly<Record<string, ServiceSketch>>, rest?: Rest): readonly string[] {
  return hostNamesOf(configOf(services, rest)).hosts.map(({ host, rules }) =>
    [host, ...rules.map(({ prefix, service }) => (prefix === '/' ? service : `${prefix}→${service}`))].join(' '),
  )
}

const hostIn = (line: string): string => line.split(' ')[0] ?? ''

function faultsOf(services: Readonly<Record<string, ServiceSketch>>, rest?: Rest): readonly string[] {
  return hostNamesOf(configOf(services, rest)).diagnostics.map((each) => `${each.severity} ${each.code} ${each.line}`)
}

test('hostNamesOf() gives web the domain itself, and the others a name below it', () => {
  expect(namesOf({ api: web, web, jobs: worker })).toEqual(['api.shop.localhost api', 'shop.localhost web'])
})

test('hostNamesOf() gives the domain to the service named like the project when there is no web', () => {
  expect(namesOf({ shop: web, api: web })).toEqual(['shop.localhost shop', 'api.shop.localhost api'])
  expect(namesOf({ my_app: web, api: web }, { name: 'My App' })).toContain('shop.localhost my_app')
})

test('hostNamesOf() gives the only service that can be reached the domain as a further name', () => {
  expect(namesOf({ api: web, jobs: worker })).toEqual(['api.shop.localhost api', 'shop.localhost api'])
  expect(namesOf({ api: web, admin: web })).toEqual(['api.shop.localhost api', 'admin.shop.localhost admin'])
})

test('hostNamesOf() gives no name to what speaks no HTTP, unless one is written', () => {
  const services = { web, db: container(5432), cache: container(6379), ui: container(80) }
  expect(namesOf(services)).toEqual(['shop.localhost web', 'ui.shop.localhost ui'])
  expect(namesOf({ web, db: { ...container(5432), domains: ['db.test'] } })).toContain('db.test db')
})

test('hostNamesOf() gives a site a name, which listens nowhere', () => {
  const site: ServiceSketch = { type: 'site', listening: 'never', site: { path: '/home/me/shop/dist' } }
  expect(namesOf({ web, docs: site })).toEqual(['shop.localhost web', 'docs.shop.localhost docs'])
})

test('hostNamesOf() has the same names below each domain, and those of a service after them', () => {
  const services = { web: { ...web, domains: ['Login.Example.com', '*.shop.localhost'] }, api: web }
  expect(namesOf(services, { domains: ['shop.test'] })).toEqual([
    'shop.localhost web',
    'api.shop.localhost api',
    'shop.test web',
    'api.shop.test api',
    'login.example.com web',
    '*.shop.localhost web',
  ])
})

test('hostNamesOf() begins every name in a worktree with its label', () => {
  const services = { web: { ...web, domains: ['login.test', '*.shop.test'] }, api: web }
  const worktree = { label: 'fix-ui', longLabel: 'fix-ui-1af3a4', branch: 'fix-ui' }
  expect(namesOf(services, { domains: ['shop.test'], worktree })).toEqual([
    'fix-ui.shop.localhost web',
    'api.fix-ui.shop.localhost api',
    'fix-ui.shop.test web',
    'api.fix-ui.shop.test api',
    'fix-ui.login.test web',
    '*.fix-ui.shop.test web',
  ])
})

test('hostNamesOf() has no name in a worktree that the main checkout has, whatever the branch is called', () => {
  const services = { web, api: { ...web, domains: ['beta.shop.localhost'] }, jobs: worker }
  const inMain = new Set(namesOf(services).map(hostIn))
  const inWorktree = (label: string): readonly string[] =>
    namesOf(services, { worktree: { label, longLabel: `${label}-14c252`, branch: label } })
  expect(inWorktree('api')).toEqual([
    'api-14c252.shop.localhost web',
    'api.api-14c252.shop.localhost api',
    'api-14c252.beta.shop.localhost api',
  ])
  expect(inWorktree('beta')[0]).toBe('beta-14c252.shop.localhost web')
  // A name that nobody has is not made longer.
  expect(inWorktree('jobs')[0]).toBe('jobs.shop.localhost web')
  for (const label of ['api', 'beta', 'jobs', 'web']) {
    expect(inWorktree(label).filter((line) => inMain.has(hostIn(line)))).toEqual([])
  }
})

test('hostNamesOf() makes host names of whatever a service is called', () => {
  expect(namesOf({ web, 'Pay_API.v2': web })).toContain('pay-api-v2.shop.localhost Pay_API.v2')
})

test('hostNamesOf() applies routes at the names of the project, the longest prefix first', () => {
  const routes = [
    { prefix: '/api', service: 'api', stripPrefix: false, place },
    { prefix: '/api/v2', service: 'next', stripPrefix: true, place },
  ]
  const services = { web: { ...web, domains: ['shop.example.com'] }, api: web, next: web }
  expect(namesOf(services, { routes })).toEqual([
    'shop.localhost /api/v2→next /api→api web',
    'api.shop.localhost api',
    'next.shop.localhost next',
    'shop.example.com /api/v2→next /api→api web',
  ])
})

test('hostNamesOf() lets a route decide who answers at "/"', () => {
  const routes = [{ prefix: '/', service: 'app', stripPrefix: false, place }]
  expect(namesOf({ web, app: web }, { routes })).toEqual(['web.shop.localhost web', 'shop.localhost app'])
})

test('hostNamesOf() has the domain for routes alone when nobody answers at "/"', () => {
  const routes = [{ prefix: '/api', service: 'api', stripPrefix: false, place }]
  expect(namesOf({ api: web, ui: web }, { routes })).toContain('shop.localhost /api→api')
})

test('hostNamesOf() refuses a route to a service that listens nowhere, at its line', () => {
  const routes = [{ prefix: '/jobs', service: 'jobs', stripPrefix: false, place: { ...place, line: 7 } }]
  expect(faultsOf({ web, jobs: worker }, { routes })).toEqual(['error route-without-port 7'])
})

test('hostNamesOf() gives a name that two services would have to the one for which it is written, else to the first', () => {
  const services = { 'a.b': web, a_b: web, c: { ...web, domains: ['d.shop.localhost'] }, d: web }
  expect(namesOf(services)).toEqual(['a-b.shop.localhost a.b', 'c.shop.localhost c', 'd.shop.localhost c'])
  expect(faultsOf(services)).toEqual(['warning name-shared 20', 'warning name-shared 40'])
})

test('hostNamesOf() refuses the name of locald itself, and names that are too long', () => {
  expect(faultsOf({ locald: web, web }, { domain: 'localhost' })).toEqual(['error name-reserved 10'])
  const domain = Array.from({ length: 30 }, () => 'seven77').join('.')
  expect(faultsOf({ [`x${'y'.repeat(40)}`]: web, web }, { domain })).toEqual(['error name-too-long 10'])
})

test('hostsOf() lists the names at which a service answers, the shown one first', () => {
  const names = hostNamesOf(configOf({ web, api: { ...web, domains: ['api.test'] } }, { domains: ['shop.test'] }))
  expect(hostsOf(names, 'api')).toEqual(['api.shop.localhost', 'api.shop.test', 'api.test'])
  expect(hostsOf(names, 'web')).toEqual(['shop.localhost', 'shop.test'])
})
