import { expect, test } from 'vitest'
import { addressesOf, siblingHost, siblingVariables } from './addresses.ts'
import { environmentFor } from './environment.ts'
import type { EnvironmentInputs, InstanceEnvironment } from './environment.ts'
import { noEnvLayers } from './env-layers.ts'
import { configOf, layersOf, planOf, testRoot } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

const nothing: EnvironmentInputs = { layers: noEnvLayers, shell: {}, flags: {} }

/** The environment of the first service's first instance. */
function resolved(
  services: Readonly<Record<string, ServiceSketch>>,
  inputs: Partial<EnvironmentInputs> & { readonly env?: Readonly<Record<string, string>> } = {},
): InstanceEnvironment {
  const { env = {}, ...others } = inputs
  const given = { ...nothing, ...others }
  const plan = planOf(configOf(services, { env }), { layers: given.layers, flags: given.flags })
  return environmentFor(plan, { service: Object.keys(services)[0] ?? '', instance: 1 }, given)
}

function valuesOf({ variables }: InstanceEnvironment): Readonly<Record<string, string>> {
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]))
}

function warningsOf({ warnings }: InstanceEnvironment): readonly string[] {
  return warnings.map(
    ({ code, file, line, message }) => `${code} ${file.slice(testRoot.length + 1)}:${line} ${message}`,
  )
}

const envFile = `${testRoot}/.env`
const configFile = `${testRoot}/locald.toml`

test('environmentFor() lets each level win over those below, and says which one it was', () => {
  // L3 is set on level 3 and all below it, and so on.
  const upTo = (level: number): string =>
    Array.from({ length: 9 - level }, (_, index) => `L${index + level}=${level}`).join('\n')
  const table = (level: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 9 - level }, (_, index) => [`L${index + level}`, String(level)]))
  const { variables } = resolved(
    { web: { env: table(6) } },
    { shell: table(1), layers: layersOf(upTo(3), { web: upTo(5) }), env: table(4), flags: table(8) },
  )
  expect(variables.filter(({ name }) => name.startsWith('L') && name.length === 2)).toEqual([
    { name: 'L1', value: '1', source: 'shell', file: null, line: null },
    { name: 'L2', value: '1', source: 'shell', file: null, line: null },
    { name: 'L3', value: '3', source: 'dotenv', file: envFile, line: 1 },
    { name: 'L4', value: '4', source: 'project', file: configFile, line: 1 },
    { name: 'L5', value: '5', source: 'env_file', file: `${testRoot}/.env.web`, line: 1 },
    { name: 'L6', value: '6', source: 'service', file: configFile, line: 11 },
    { name: 'L7', value: '6', source: 'service', file: configFile, line: 12 },
    { name: 'L8', value: '8', source: 'flag', file: null, line: null },
  ])
})

test('environmentFor() sorts by name', () => {
  const names = resolved({ web: {} }, { shell: { b: '', A: '', a: '', Z: '' } }).variables.map(({ name }) => name)
  expect(names).toEqual([...names].toSorted())
})

test('environmentFor() prefers siblings to the shell, and the project’s files to siblings', () => {
  const values = valuesOf(
    resolved(
      { web: {}, db: { port: 5432 } },
      { shell: { DB_PORT: '1', DB_HOST: 'elsewhere' }, layers: layersOf('DB_HOST=db.test') },
    ),
  )
  expect(values).toMatchObject({ DB_PORT: '5432', DB_HOST: 'db.test' })
})

test('environmentFor() prefers .env.local to .env', () => {
  const [first] = layersOf('A=1\nB=1').dotenv
  const [second] = layersOf('A=${B}2').dotenv
  const layers = { ...noEnvLayers, dotenv: [first, second].flatMap((file) => file ?? []) }
  expect(valuesOf(resolved({ web: {} }, { layers }))).toMatchObject({ A: '12', B: '1' })
})

test('environmentFor() drops what belongs to the shell alone', () => {
  const dropped = {
    npm_config_registry: 'x',
    npm_lifecycle_event: 'x',
    INIT_CWD: 'x',
    _: 'x',
    SHLVL: 'x',
    PWD: 'x',
    OLDPWD: 'x',
    TMUX: 'x',
    TMUX_PANE: 'x',
    NOTIFY_SOCKET: 'x',
    LISTEN_FDS: 'x',
    LOCALD_URL: 'x',
  }
  const kept = { PATH: '/bin', HOME: '/root', NPM_TOKEN: 't', LOCALD_HOME: '/x', PWDX: 'x', MY_TMUX: 'x' }
  const values = valuesOf(resolved({ worker: { listening: 'never' } }, { shell: { ...dropped, ...kept } }))
  expect(values).toEqual({ ...kept, PS: 'worker.1', LOCALD_PROJECT: 'shop', LOCALD_SERVICE: 'worker' })
})

test('environmentFor() sets what locald knows of the instance', () => {
  const plan = planOf(configOf({ 'my-api': { port: 4000, replicas: 2 } }))
  const environment = environmentFor(
    plan,
    { service: 'my-api', instance: 2 },
    { ...nothing, notifySocket: '@x', caCertificate: '/ca.pem' },
  )
  expect(valuesOf(environment)).toEqual({
    HOST: '127.0.0.1',
    LOCALD_PROJECT: 'shop',
    LOCALD_SERVICE: 'my-api',
    LOCALD_URL: 'http://127.0.0.1:4001',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    NOTIFY_SOCKET: '@x',
    PORT: '4001',
    PS: 'my-api.2',
  })
  expect(new Set(environment.variables.map(({ source }) => source))).toEqual(new Set(['locald']))
})

test('environmentFor() leaves certificates alone that the user has set', () => {
  const environment = resolved({ web: {} }, { shell: { NODE_EXTRA_CA_CERTS: '/mine' }, caCertificate: '/ca.pem' })
  expect(valuesOf(environment)['NODE_EXTRA_CA_CERTS']).toBe('/mine')
})

test('environmentFor() throws when the plan has no such instance', () => {
  const plan = planOf(configOf({ web: {} }))
  expect(() => environmentFor(plan, { service: 'web', instance: 2 }, nothing)).toThrow('no instance 2 of "web"')
})

// Siblings

test('siblingVariables() offers the addresses of all others that have one', () => {
  const plan = planOf(
    configOf({
      web: {},
      'my-api.v2': { port: 4000 },
      pool: { port: 6000, replicas: 2 },
      main: { type: 'postgres', port: 5432 },
      cache: { type: 'redis', port: 6379 },
      worker: { listening: 'never' },
    }),
  )
  expect(Object.fromEntries(siblingVariables(addressesOf(plan.services), 'web'))).toEqual({
    MY_API_V2_HOST: '127.0.0.1',
    MY_API_V2_PORT: '4000',
    MY_API_V2_URL: 'http://127.0.0.1:4000',
    POOL_HOST: '127.0.0.1',
    POOL_PORT: '6000',
    POOL_URL: 'http://127.0.0.1:6000',
    POOL_PORTS: '6000,6001',
    MAIN_HOST: '127.0.0.1',
    MAIN_PORT: '5432',
    MAIN_URL: 'postgres://postgres@127.0.0.1:5432/postgres',
    CACHE_HOST: '127.0.0.1',
    CACHE_PORT: '6379',
    CACHE_URL: 'redis://127.0.0.1:6379',
    DATABASE_URL: 'postgres://postgres@127.0.0.1:5432/postgres',
    REDIS_URL: 'redis://127.0.0.1:6379',
  })
})

test('siblingVariables() and references tell the address of what was found on ::1 alone, but not to containers', () => {
  const { services } = planOf(configOf({ web: { port: 3000 }, db: { type: 'postgres', port: 5432 } }))
  const found = services.map((service) => ({
    ...service,
    instances: service.instances.map((instance) => ({ ...instance, host: '::1' })),
  }))
  expect(Object.fromEntries(siblingVariables(addressesOf(found), 'web'))).toMatchObject({
    DB_HOST: '::1',
    DATABASE_URL: 'postgres://postgres@[::1]:5432/postgres',
  })
  const inside = addressesOf(found, siblingHost({ container: {} }))
  expect(siblingVariables(inside, 'db').get('WEB_URL')).toBe('http://host.docker.internal:3000')
})

test('siblingVariables() offers DATABASE_URL to nobody when there are two databases', () => {
  const services = planOf(configOf({ web: {}, a: { type: 'postgres' }, b: { type: 'postgres' } })).services
  expect(siblingVariables(addressesOf(services), 'web').has('DATABASE_URL')).toBe(false)
  // Not even to one of the two, for which there is only one other.
  expect(siblingVariables(addressesOf(services), 'a').has('DATABASE_URL')).toBe(false)
})

test('siblingVariables() does not let a service alike in name replace an earlier one', () => {
  const services = planOf(configOf({ web: {}, 'a-b': { port: 4000 }, 'a.b': { port: 4001 } })).services
  expect(siblingVariables(addressesOf(services), 'web').get('A_B_PORT')).toBe('4000')
})

// References

test('environmentFor() replaces references of tables, by the table itself, locald’s own and the levels below', () => {
  const values = valuesOf(
    resolved(
      {
        web: {
          port: 3000,
          env: {
            SELF: 'http://localhost:${PORT}',
            LATER: '${EARLIER}!',
            EARLIER: 'here',
            PATH: './bin:${PATH}',
            DB: '${services.db.url}/shop',
            LEVEL: '${LOG_LEVEL}',
            FILE: '${env.FROM_FILE:-none}',
            LITERAL: '$${PORT} $PORT',
          },
        },
        db: { type: 'postgres', port: 5432 },
      },
      { shell: { PATH: '/bin', PORT: '9' }, layers: layersOf('FROM_FILE=yes'), env: { LOG_LEVEL: 'debug' } },
    ),
  )
  expect(values).toMatchObject({
    SELF: 'http://localhost:3000',
    LATER: 'here!',
    PATH: './bin:/bin',
    DB: 'postgres://postgres@127.0.0.1:5432/postgres/shop',
    LEVEL: 'debug',
    FILE: 'yes',
    LITERAL: '${PORT} $PORT',
  })
})

test('environmentFor() takes the level below where entries of a table lead in a circle', () => {
  const values = valuesOf(resolved({ web: { env: { A: 'a${B}', B: 'b${A}' } } }, { shell: { A: '-' } }))
  expect(values).toMatchObject({ A: 'ab-', B: 'b-' })
})

test('environmentFor() expands files by themselves, then by the real port, then by lower levels', () => {
  const values = valuesOf(
    resolved(
      { web: { port: 3000 }, db: { port: 5432 } },
      {
        layers: layersOf("A=1\nB=${A}2\nURL=http://localhost:${PORT}\nDB=$DB_PORT\nHOME=${HOME}/x\nRAW='$A'\nPORT=9"),
        shell: { HOME: '/root', A: 'shell' },
      },
    ),
  )
  expect(values).toMatchObject({
    A: '1',
    B: '12',
    URL: 'http://localhost:3000',
    DB: '5432',
    HOME: '/root/x',
    RAW: '$A',
    PORT: '3000',
  })
})

test('environmentFor() lets a flag count in everything derived from its name', () => {
  const values = valuesOf(
    resolved(
      { web: { env: { URL: 'http://${NAME}/${FILE}' } } },
      { flags: { NAME: 'flag' }, layers: layersOf('NAME=file\nFILE=${NAME}'), shell: { NAME: 'shell' } },
    ),
  )
  expect(values).toMatchObject({ NAME: 'flag', FILE: 'flag', URL: 'http://flag/flag' })
})

test('environmentFor() gives a service the port of its plan, not that of a flag', () => {
  expect(valuesOf(resolved({ web: {} }, { flags: { PORT: '3000' } }))['PORT']).toBe('3000')
  expect(valuesOf(resolved({ web: { port: 4000 }, api: {} }, { flags: { PORT: '3000' } }))['PORT']).toBe('4000')
  expect(valuesOf(resolved({ job: { listening: 'never' } }, { flags: { PORT: '3000' } }))['PORT']).toBe('3000')
})

test('environmentFor() never takes the shared PORT for the service’s', () => {
  expect(valuesOf(resolved({ web: { port: 4000 } }, { layers: layersOf('PORT=3000') }))['PORT']).toBe('4000')
  expect(valuesOf(resolved({ job: { listening: 'never' } }, { env: { PORT: '3000' } }))['PORT']).toBeUndefined()
})

// Warnings

test('environmentFor() warns when .env hides another value of the shell, and only then', () => {
  const environment = resolved(
    { web: { env: { EXPLICIT: '1' } } },
    { shell: { SAME: 'a', OTHER: 'b', EXPLICIT: '2' }, layers: layersOf('SAME=a\nOTHER=c\nNEW=d') },
  )
  expect(warningsOf(environment)).toEqual([
    'env-shell-hidden .env:2 The value of "OTHER" in this file is used, not the different one of your shell',
  ])
  expect(environment.warnings[0]?.hint).toBe('For the value of the shell: locald up --env "OTHER=$OTHER"')
})

test('environmentFor() warns of a name that nobody sets, unless there is a default', () => {
  const environment = resolved(
    { web: { env: { A: '${MISSING}', B: '${MISSING:-x}', C: '${env.GONE}' } } },
    { layers: layersOf('D=pa$word') },
  )
  expect(warningsOf(environment)).toEqual([
    'env-unset .env:1 "D" refers to "word", which is not set: it is taken as empty',
    'env-unset locald.toml:11 "A" refers to "MISSING", which is not set: it is taken as empty',
    'env-unset locald.toml:13 "C" refers to "GONE", which is not set: it is taken as empty',
  ])
  expect(environment.warnings[0]?.hint).toContain('single quotes')
})

test('environmentFor() warns of a value that locald replaces', () => {
  const environment = resolved({ web: { env: { HOST: '0.0.0.0', LOCALD_PROJECT: 'shop' } } })
  expect(warningsOf(environment)).toEqual([
    'env-replaced locald.toml:11 "HOST" is set by locald, to "127.0.0.1": this value is not used',
  ])
})
