import { readFileSync, readdirSync } from 'node:fs'
import { configSchema, serviceSchema } from '@locald/protocol/config'
import { expect, test } from 'vitest'
import { z } from 'zod'

const docs = new URL('../../docs/', import.meta.url)
const page = readFileSync(new URL('configuration.md', docs), 'utf8')
const allPages = readdirSync(docs)
  .filter((name) => name.endsWith('.md'))
  .map((name) => readFileSync(new URL(name, docs), 'utf8'))
  .join('\n')

test('docs/configuration.md names every key of locald.toml', () => {
  const keys = [...Object.keys(serviceSchema.shape), ...Object.keys(configSchema.shape)]
  expect(keys.filter((key) => !page.includes(`\`${key}\``) && !page.includes(`[${key}`))).toEqual([])
})

test('every key of its tables stands on some page: alone, or in an example', () => {
  const keys = [...keysIn(z.toJSONSchema(configSchema, { unrepresentable: 'any' }))]
  expect(keys.length).toBeGreaterThan(40)
  const isNamed = (key: string): boolean => allPages.includes(`\`${key}\``) || new RegExp(`\\b${key} = `).test(allPages)
  expect(keys.filter((key) => !isNamed(key) && !page.includes(`[${key}`))).toEqual([])
})

/** The names of all properties that a JSON Schema describes, at any depth. */
function keysIn(schema: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (typeof schema !== 'object' || schema === null) return found
  if ('properties' in schema && typeof schema.properties === 'object') {
    for (const key of Object.keys(schema.properties ?? {})) found.add(key)
  }
  for (const part of Object.values(schema)) keysIn(part, found)
  return found
}
