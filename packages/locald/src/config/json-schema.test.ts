// schema.json is made from the schema that the loader uses: `UPDATE_SCHEMA=1 npx vitest run json-schema && npm run format`.
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { configSchema } from '@locald/protocol/config'
import { expect, test } from 'vitest'
import { z } from 'zod'

const file = resolve(import.meta.dirname, '../../schema.json')

test('schema.json is what the schema says', () => {
  // Draft 7 is what the editors' TOML plug-ins know.
  const generated = z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' })
  if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(file, `${JSON.stringify(generated, undefined, 2)}\n`)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(generated)))
})

test('schema.json describes every key of a service', () => {
  const schema: unknown = JSON.parse(readFileSync(file, 'utf8'))
  expect(schema).toMatchObject({
    type: 'object',
    additionalProperties: false,
    properties: {
      services: { additionalProperties: { additionalProperties: false, properties: { command: {}, restart: {} } } },
    },
  })
})
