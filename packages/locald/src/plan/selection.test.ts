import { LocaldError } from '@locald/protocol'
import { expect, test } from 'vitest'
import { selectInstances } from './selection.ts'
import type { SelectionScope } from './selection.ts'
import { configOf, planOf } from './testing/config-of.ts'

const plan = planOf(
  configOf({
    web: { replicas: 2, dependsOn: ['api'] },
    api: { dependsOn: ['db'] },
    db: {},
    worker: { dependsOn: ['db'] },
    tool: { start: 'on-request' },
  }),
)

function selected(names: readonly string[], scope: SelectionScope): string {
  return selectInstances(plan, names, scope)
    .map(({ service, instance }) => `${service}.${instance}`)
    .join(' ')
}

test('selectInstances() adds everything that is needed, in the order of the plan', () => {
  expect(selected(['web'], 'needed')).toBe('db.1 api.1 web.1 web.2')
  expect(selected(['worker', 'api'], 'needed')).toBe('db.1 api.1 worker.1')
})

test('selectInstances() takes only what is named', () => {
  expect(selected(['db'], 'named')).toBe('db.1')
  expect(selected(['web', 'db', 'web'], 'named')).toBe('db.1 web.1 web.2')
})

test('selectInstances() takes one instance, and all of what it needs', () => {
  expect(selected(['web.2'], 'named')).toBe('web.2')
  expect(selected(['web.2'], 'needed')).toBe('db.1 api.1 web.2')
  expect(selected(['db.1'], 'named')).toBe('db.1')
})

test('selectInstances() takes everything when nothing is named', () => {
  expect(selected([], 'named')).toBe('db.1 api.1 web.1 web.2 worker.1 tool.1')
  expect(selected([], 'needed')).toBe('db.1 api.1 web.1 web.2 worker.1 tool.1')
})

test('selectInstances() prefers a service to an instance of the same spelling', () => {
  const alike = planOf(configOf({ web: { replicas: 2 }, 'web.2': {} }))
  expect(selectInstances(alike, ['web.2'], 'named')).toMatchObject([{ service: 'web.2', instance: 1 }])
})

test.each([
  ['wbe', 'There is no service "wbe" in the project "shop"', 'Did you mean "web"?'],
  ['zzz', 'There is no service "zzz" in the project "shop"', 'The services are: db, api, web, worker, tool'],
  ['web.3', 'There is no instance 3 of the service "web"', 'It has 2, counted from 1'],
  ['db.2', 'There is no instance 2 of the service "db"', 'It has one instance: "db"'],
])('selectInstances() refuses %j', (name, message, hint) => {
  const select = (): unknown => selectInstances(plan, ['db', name], 'needed')
  expect(select).toThrow(LocaldError)
  expect(select).toThrow(expect.objectContaining({ code: 'service_unknown', message, hint }))
})
