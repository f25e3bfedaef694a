import { expect, test } from 'vitest'
import { dependencyDepth } from './dependency-depth.ts'
import type { ServicePlan } from './plan.ts'

function service(name: string, ...needs: readonly string[]): ServicePlan {
  return { name, dependsOn: needs.map((each) => ({ service: each })) } as unknown as ServicePlan
}

test('dependencyDepth() is above that of everything the service depends on', () => {
  const services = [service('db'), service('cache'), service('api', 'db', 'cache'), service('web', 'db', 'api')]
  expect(services.map(({ name }) => dependencyDepth({ services }, name))).toEqual([0, 0, 1, 2])
  expect(dependencyDepth({ services }, 'unknown')).toBe(0)
})
