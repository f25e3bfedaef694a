import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Config } from './config.ts'
import { initSourceFor, renderInit } from './init.ts'
import { loadConfig } from './load-config.ts'

let dir = ''
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'locald-init-')))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** What the loader makes of it, without any diagnostic. */
async function loaded(text: string): Promise<Config> {
  await writeFile(join(dir, 'locald.toml'), text)
  const result = await loadConfig({ dir, home: dir })
  expect(result.diagnostics).toEqual([])
  if (!result.ok) throw new Error('unreachable: it has no diagnostics')
  return result.config
}

async function written(): Promise<string> {
  const source = await initSourceFor(dir, dir)
  if (source === undefined) throw new Error('nothing to begin with')
  return renderInit(source)
}

test('renderInit() turns a Procfile into a locald.toml that means the same', async () => {
  await writeFile(
    join(dir, 'Procfile'),
    'release: bin/migrate\nweb: bin/web -b "0.0.0.0" -p $PORT\n-odd: it\'s "odd"\\n\nweb: twice \n',
  )
  const text = await written()
  expect(text).toBe(`# What "locald up" runs. Made from Procfile.

[services.release]
type = "task"
command = "bin/migrate"

[services.web]
command = 'bin/web -b "0.0.0.0" -p $PORT'
depends_on = ["release"]

[services.odd]
command = "it's \\"odd\\"\\\\n"
depends_on = ["release"]
`)
  await rm(join(dir, 'Procfile'))
  expect((await loaded(text)).services).toMatchObject([
    { name: 'release', type: 'task', command: 'bin/migrate' },
    { name: 'web', type: 'auto', listening: 'must', command: 'bin/web -b "0.0.0.0" -p $PORT' },
    { name: 'odd', command: 'it\'s "odd"\\n' },
  ])
})

test('initSourceFor() prefers Procfile.dev, then a Procfile, then a dev script', async () => {
  expect(await initSourceFor(dir, dir)).toBeUndefined()
  await writeFile(join(dir, 'package.json'), '{"name": "@a/shop", "scripts": {"dev": "vite"}}')
  const text = await written()
  expect(text).toContain('[project]\nname = "shop"\n\n[services.web]\ncommand = "npm run dev"\n')
  expect(await loaded(text)).toMatchObject({ name: 'shop', services: [{ name: 'web', command: 'npm run dev' }] })
  await writeFile(join(dir, 'Procfile'), 'a: x')
  expect(await initSourceFor(dir, dir)).toMatchObject({ from: 'Procfile' })
  await writeFile(join(dir, 'Procfile.dev'), 'b: x')
  expect(await initSourceFor(dir, dir)).toMatchObject({ from: 'Procfile.dev', services: [{ name: 'b' }] })
})

test('renderInit() writes answers, whatever characters they hold', async () => {
  const command = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(command, async (text) => {
      fc.pre(!text.includes('${'))
      const { services } = await loaded(
        renderInit({ from: null, services: [{ name: 'a.b', command: text, port: 3000 }] }),
      )
      expect(services).toMatchObject([{ name: 'a.b', command: text, port: 3000 }])
    }),
    { numRuns: 50 },
  )
  expect(
    await loaded(
      renderInit({ from: null, project: basename(dir), services: [{ name: 'a', command: 'x', type: 'worker' }] }),
    ),
  ).toMatchObject({
    name: basename(dir),
    services: [{ type: 'worker' }],
  })
})
