// What is planned of a service that is a container.
import { expect, test } from 'vitest'
import type { ContainerConfig } from '../config/config.ts'
import { environmentFor } from './environment.ts'
import { keptPorts } from './plan-for.ts'
import { noEnvLayers } from './env-layers.ts'
import type { Plan } from './plan.ts'
import { configOf, layersOf, planOf } from './testing/config-of.ts'
import type { ServiceSketch } from './testing/config-of.ts'

function containerSketch(container: Partial<ContainerConfig>, rest: ServiceSketch = {}): ServiceSketch {
  const { ports = [80] } = container
  const full = { image: 'redis:7', volumes: [], ...container, ports }
  return { type: 'container', listening: ports.length > 0 ? 'must' : 'never', container: full, ...rest }
}

function portsOf(plan: Plan, name: string): readonly number[] {
  const service = plan.services.find((each) => each.name === name)
  return (service?.instances ?? []).flatMap(({ port, morePorts = [] }) => [
    ...(port === null ? [] : [port]),
    ...morePorts,
  ])
}

function hashOf(sketch: ServiceSketch): string {
  return planOf(configOf({ box: sketch })).services[0]?.hash ?? ''
}

test('planFor() assigns a port to each that a container has inside, for each instance, and keeps them', () => {
  const config = configOf({ box: containerSketch({ ports: [80, 443, 9000] }, { replicas: 2 }) })
  const plan = planOf(config)
  const ports = portsOf(plan, 'box')
  expect(new Set(ports).size).toBe(6)
  expect(portsOf(planOf(config, { keptPorts: keptPorts(plan) }), 'box')).toEqual(ports)
  const [first = 0] = ports
  const moved = planOf(config, { keptPorts: keptPorts(plan), isPortFree: (port) => port !== first })
  expect(portsOf(moved, 'box').slice(1)).toEqual(ports.slice(1))
})

test('planFor() fixes the first port alone', () => {
  const ports = portsOf(planOf(configOf({ box: containerSketch({ ports: [80, 443] }, { port: 3000 }) })), 'box')
  expect(ports[0]).toBe(3000)
  expect(ports[1]).toBeGreaterThanOrEqual(20_000)
})

test('planFor() gives no port to a container that publishes none', () => {
  expect(portsOf(planOf(configOf({ box: containerSketch({ ports: [] }) })), 'box')).toEqual([])
})

test('a container is another one when its image or volumes change, not when its stop signal does', () => {
  const before = hashOf(containerSketch({}))
  expect(hashOf(containerSketch({ stopSignal: 'SIGINT' }))).toBe(before)
  expect(hashOf(containerSketch({ image: 'redis:8' }))).not.toBe(before)
  expect(hashOf(containerSketch({ volumes: ['./a:/a'] }))).not.toBe(before)
})

test('environmentFor() tells a container where its siblings are from inside, and what holds inside', () => {
  const plan = planOf(
    configOf({
      box: containerSketch({ ports: [8080] }, { env: { URL: '${services.api.url}/v1', MINE: '${HOME}/x' } }),
      api: { port: 4000 },
    }),
  )
  const shell = { HOME: '/home/me', PATH: '/bin', TOKEN: 't' }
  const { variables } = environmentFor(
    plan,
    { service: 'box', instance: 1 },
    { layers: layersOf('FROM_FILE=${TOKEN}'), shell, flags: {} },
  )
  const values = Object.fromEntries(variables.map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({
    API_HOST: 'host.docker.internal',
    API_PORT: '4000',
    API_URL: 'http://host.docker.internal:4000',
    URL: 'http://host.docker.internal:4000/v1',
    PORT: '8080',
    HOST: '0.0.0.0',
    // The shell can be referred to, and is not passed on.
    MINE: '/home/me/x',
    FROM_FILE: 't',
  })
  for (const name of ['HOME', 'PATH', 'TOKEN']) expect(values).not.toHaveProperty(name)
})

test('environmentFor() tells the siblings of a container where it is published', () => {
  const plan = planOf(configOf({ web: {}, box: containerSketch({ ports: [6379] }) }))
  const { variables } = environmentFor(
    plan,
    { service: 'web', instance: 1 },
    { layers: noEnvLayers, shell: {}, flags: {} },
  )
  const values = Object.fromEntries(variables.map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({ BOX_HOST: '127.0.0.1', BOX_PORT: String(portsOf(plan, 'box')[0]) })
})
