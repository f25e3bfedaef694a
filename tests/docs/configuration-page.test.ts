import { readFileSync } from 'node:fs'
import { configSchema, serviceSchema } from '@locald/protocol/config'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')

test('docs/configuration.md names every key of locald.toml', () => {
  const keys = [...Object.keys(serviceSchema.shape), ...Object.keys(configSchema.shape)]
  expect(keys.filter((key) => !page.includes(`\`${key}\``) && !page.includes(`[${key}`))).toEqual([])
})
