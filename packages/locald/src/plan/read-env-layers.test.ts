import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../config/load-config.ts'
import { readEnvLayers } from './read-env-layers.ts'
import type { EnvLayers } from './env-layers.ts'

async function layersOf(prepare: (directory: string) => void, toml = ''): Promise<EnvLayers> {
  const dir = mkdtempSync(join(tmpdir(), 'rp-'))
  try {
    writeFileSync(join(dir, 'locald.toml'), `[services.web]\ncommand = "x"\n${toml}`)
    prepare(dir)
    const result = await loadConfig({ dir, home: dir })
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics))
    return await readEnvLayers(result.config)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

test('readEnvLayers() takes a directory named .env for what it is: not an env file', async () => {
  const { dotenv } = await layersOf((dir) => {
    mkdirSync(join(dir, '.env'))
    writeFileSync(join(dir, '.env.local'), 'A=1\n')
  })
  expect(dotenv.flatMap(({ entries }) => entries.map(({ name }) => name))).toEqual(['A'])
})

test('readEnvLayers() for one service leaves the files of the others alone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'rp-'))
  try {
    writeFileSync(join(dir, 'own.env'), 'A=1\n')
    writeFileSync(join(dir, 'gone.env'), '')
    writeFileSync(join(dir, '.env'), 'B=1\n')
    writeFileSync(
      join(dir, 'locald.toml'),
      '[services.web]\ncommand = "x"\nenv_file = "own.env"\n[services.api]\ncommand = "x"\nenv_file = "gone.env"\n',
    )
    const result = await loadConfig({ dir, home: dir })
    if (!result.ok) throw new Error(JSON.stringify(result.diagnostics))
    rmSync(join(dir, 'gone.env'))
    const { services } = result.config
    const { dotenv, serviceFiles } = await readEnvLayers(
      result.config,
      services.filter(({ name }) => name === 'web'),
    )
    expect([dotenv.length, [...serviceFiles.keys()]]).toEqual([1, ['web']])
    await expect(readEnvLayers(result.config)).rejects.toMatchObject({ code: 'env_file_unreadable' })
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test.each([
  ['a directory', (dir: string) => mkdirSync(join(dir, 'own.env'))],
  ['a device that never ends', (dir: string) => symlinkSync('/dev/zero', join(dir, 'own.env'))],
])('readEnvLayers() refuses %s as an env_file', async (_, prepare) => {
  await expect(layersOf(prepare, 'env_file = "own.env"\n')).rejects.toMatchObject({ code: 'env_file_unreadable' })
})
