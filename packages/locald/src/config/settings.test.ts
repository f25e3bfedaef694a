import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadDocuments } from './load-config.ts'
import { configSettings } from './settings.ts'
import type { Setting } from './settings.ts'

let dir = ''
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'locald-settings-')))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

async function settings(files: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
  const loaded = await loadDocuments({ dir, home: dir, userConfigFile: join(dir, 'user.toml') })
  return new Map(configSettings(loaded).map((setting) => [setting.key, show(setting)]))
}

function show({ value, origin, place }: Setting): string {
  const where = place === null ? '' : ` ${place.file.slice(dir.length + 1)}:${place.line}:${place.column}`
  return `${JSON.stringify(value)} ${origin}${where}`
}

test('configSettings() tells defaults, the user and the project apart', async () => {
  const all = await settings({
    'user.toml': '[defaults]\nrestart = "always"\ntty = false\n[env]\nA = "u"\nB = "u"\n[logs]\nsegments = 7\n',
    'locald.toml':
      '[project]\nname = "shop"\n[env]\nA = "p"\n[services.web]\nport = 3000\nrestart = "never"\nenv = { X = 1 }\n[services.t]\ntype = "task"\ncommand = "x"\n',
    Procfile: 'web: serve\n',
  })
  expect(Object.fromEntries(all)).toMatchObject({
    'project.name': '"shop" project locald.toml:2:1',
    'project.domain': '"shop.localhost" default',
    'env.A': '"p" project locald.toml:4:1',
    'env.B': '"u" user user.toml:6:1',
    'logs.segments': '7 user user.toml:8:1',
    'logs.total': '"1GB" default',
    'services.web.type': '"exec" default',
    'services.web.command': '"serve" project Procfile:1:6',
    'services.web.port': '3000 project locald.toml:6:1',
    'services.web.restart': '"never" project locald.toml:7:1',
    'services.web.tty': 'false user user.toml:3:1',
    'services.web.stop_timeout': '"10s" default',
    'services.web.env.X': '"1" project locald.toml:8:9',
    'services.t.restart': '"never" default',
    'services.t.start_timeout': '"never" default',
    'services.t.tty': 'false user user.toml:3:1',
  })
  expect(all.has('services.web.image')).toBe(false)
  expect(all.has('services.t.port')).toBe(false)
})

test('configSettings() gives the lines of a Procfile', async () => {
  const all = await settings({ Procfile: 'web: serve\njobs: work\n' })
  expect(all.get('services.jobs.command')).toBe('"work" project Procfile:2:1')
  expect(all.get('services.jobs.type')).toBe('"auto" default')
})

test('configSettings() has nothing to say about a configuration with faults', async () => {
  expect((await settings({ 'locald.toml': 'x = 1' })).size).toBe(0)
})
