import { expect, test } from 'vitest'
import { environmentFor } from './environment.ts'
import { noEnvLayers } from './env-layers.ts'
import { launchOf } from './launch.ts'
import type { Launch } from './launch.ts'
import { configOf, planOf } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

function launched(web: ServiceSketch): Launch {
  const plan = planOf(configOf({ web: { port: 3000, ...web }, db: { port: 5432 } }))
  const [service] = plan.services.filter(({ name }) => name === 'web')
  if (service === undefined) throw new Error('no web')
  const environment = environmentFor(
    plan,
    { service: 'web', instance: 1 },
    { layers: noEnvLayers, shell: { NAME: 'a b' }, flags: {} },
  )
  return launchOf(plan, service, environment.variables)
}

const timing = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 }

test('launchOf() leaves the variables of a shell command to the shell', () => {
  expect(launched({ command: 'run $PORT ${PORT:-1} "${env.NAME}" ${services.db.port}' }).command).toBe(
    'run $PORT ${PORT:-1} "${NAME}" 5432',
  )
})

test('launchOf() replaces every reference of a list command, and splits no value', () => {
  const command = ['run', '--port=${PORT}', '${env.NAME}', '$PORT', '${X:-${services.db.host}}']
  expect(launched({ command }).command).toEqual(['run', '--port=3000', 'a b', '$PORT', '127.0.0.1'])
})

test('launchOf() replaces references in the path, the headers and the command of a check', () => {
  const http = {
    type: 'http',
    method: 'GET',
    path: '/${env.NAME}',
    status: [],
    headers: { 'X-Db': '${services.db.port}' },
  }
  expect(launched({ healthCheck: { ...timing, ...http } as never }).healthCheck).toMatchObject({
    path: '/a b',
    headers: { 'X-Db': '5432' },
  })
  const check = { ...timing, type: 'command', command: ['probe', '${services.web.port}'] } as const
  expect(launched({ healthCheck: check }).healthCheck).toMatchObject({ command: ['probe', '3000'] })
})

test('launchOf() leaves the pattern of a log check alone', () => {
  const check = { ...timing, type: 'log', pattern: '^ready on ${' } as const
  expect(launched({ healthCheck: check }).healthCheck).toEqual(check)
})

test('launchOf() gives no command where there is none', () => {
  const plan = planOf(configOf({ site: { type: 'site', site: { path: '.' } } }))
  const [service] = plan.services
  if (service === undefined) throw new Error('no site')
  const { command: _, ...config } = service.config
  expect(launchOf(plan, { ...service, config }, [])).toEqual({})
})
