import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerInspectInfo } from 'dockerode'
import { expect, test } from 'vitest'
import type { ContainerOrder } from './container-order.ts'
import { containerName, createOptions, makeVolumeDirectories, notifyOf } from './create-options.ts'

const order: ContainerOrder = {
  run: 'r1',
  installation: '/state',
  project: { id: 'abcdef0123', name: 'my shop' },
  service: 'web',
  instance: 1,
  hash: 'h',
  tag: {},
  engine: { url: 'unix:///s', certificates: null },
  shell: {},
  root: '/project',
  image: 'redis:7',
  env: { A: '1' },
  ports: [{ container: 80, host: 20_000 }],
  volumes: [],
  tty: false,
  log: { stream: 's', run: 1, segmentBytes: 1, segments: 1 },
}

test('containerName() has the project, the service, and the number of a further instance', () => {
  expect(containerName(order)).toBe('locald-my_shop-web-abcdef')
  expect(containerName({ ...order, instance: 2 })).toBe('locald-my_shop-web.2-abcdef')
})

test('createOptions() binds directories of the project, volumes of the engine that bear its name, and others as they are', () => {
  const volumes = ['./data:/data', 'sub/x:/x:ro', '/abs:/abs', 'pg:/var/lib', '/cache']
  const options = createOptions({ ...order, volumes }, 'host-gateway')
  expect(options.HostConfig?.Binds).toEqual([
    '/project/data:/data',
    '/project/sub/x:/x:ro',
    '/abs:/abs',
    'locald-my_shop-pg-abcdef:/var/lib',
  ])
  expect(options.Volumes).toEqual({ '/cache': {} })
})

test('createOptions() publishes on loopback alone and leaves to the image what is not said', () => {
  const options = createOptions(order, 'host-gateway')
  expect(options.HostConfig?.PortBindings).toEqual({ '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '20000' }] })
  for (const key of ['Cmd', 'Entrypoint', 'User', 'WorkingDir', 'Healthcheck', 'StopSignal']) {
    expect(options).not.toHaveProperty(key)
  }
})

test('createOptions() gives durations of a check in nanoseconds', () => {
  const healthTest = { test: ['CMD', 'x'], intervalMs: 1500, timeoutMs: 0.1, retries: 2, startPeriodMs: 0 }
  expect(createOptions({ ...order, healthTest }, 'host-gateway').Healthcheck).toEqual({
    Test: ['CMD', 'x'],
    Interval: 1.5e9,
    Timeout: 1e6,
    Retries: 2,
    StartPeriod: 0,
  })
})

test('notifyOf() finds in a container what createOptions() was told of its notify socket', () => {
  const notify = { address: '/run/user/1/locald/r1.container/notify.sock', watchdogMs: 5000 }
  const { Env, HostConfig } = createOptions({ ...order, notify }, 'host-gateway')
  expect(Env).toContain('NOTIFY_SOCKET=/run/locald/notify.sock')
  expect(HostConfig?.Binds).toEqual(['/run/user/1/locald/r1.container:/run/locald:ro'])
  const info = { Config: { Env }, HostConfig } as unknown as ContainerInspectInfo
  expect(notifyOf(info)).toEqual(notify)
  const older = { Config: { Env }, HostConfig: { Binds: ['/run/r1.notify:/run/locald/notify.sock'] } }
  expect(notifyOf(older as unknown as ContainerInspectInfo)).toBeNull()
  expect(notifyOf({ Config: {}, HostConfig: {} } as ContainerInspectInfo)).toBeNull()
})

test('makeVolumeDirectories() makes those of the project and leaves what is there', async () => {
  const root = mkdtempSync(join(tmpdir(), 'volumes-'))
  try {
    await makeVolumeDirectories({ root, volumes: ['./a/b:/b', 'named:/n', '/only-inside'] })
    expect(existsSync(join(root, 'a/b'))).toBe(true)
    expect(existsSync(join(root, 'named'))).toBe(false)
  } finally {
    rmSync(root, { recursive: true })
  }
})
