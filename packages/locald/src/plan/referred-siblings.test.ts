import { expect, test } from 'vitest'
import { referredSiblings } from './referred-siblings.ts'
import { configOf, planOf } from './testing/config-of.ts'

test('referredSiblings() finds what a service depends on, refers to, or names in its command', () => {
  const plan = planOf(
    configOf({
      db: { port: 5001 },
      api: { port: 5002 },
      'my-auth': { port: 5003 },
      other: { port: 5004 },
      mail: { listening: 'never' },
      web: {
        port: 5005,
        dependsOn: ['db', 'mail'],
        env: { API: '${services.api.url}/v1' },
        command: 'serve --auth $MY_AUTH_URL --other $OTHER_PORTLAND --own $WEB_PORT',
      },
    }),
  )
  const web = plan.services.find(({ name }) => name === 'web')
  if (web === undefined) throw new Error('It has no service "web"')
  expect(referredSiblings(plan, web)).toEqual({ db: 5001, api: 5002, 'my-auth': 5003 })
})
