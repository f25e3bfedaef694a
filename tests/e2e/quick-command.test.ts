// `status` is asked for by prompts and scripts all the time: it loads one file of the program, and nothing of other commands.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'

/** Appends what was loaded of the program to a file, when a command ends. */
const hook = (file: string): string => `
const { appendFileSync } = require('node:fs')
process.once('exit', () => {
  const loaded = Object.keys(require.cache).filter((path) => /[/\\\\]dist[/\\\\]/.test(path))
  appendFileSync(${JSON.stringify(file)}, loaded.join(' ') + '\\n')
})
`

test('`status` loads one file of the program; its help and its errors are those of the whole', async () => {
  await using harness = createHarness()
  const project = harness.project({ 'locald.toml': '[services.one]\ntype = "worker"\ncommand = "sleep 1000"\n' })
  await project.up()
  const [file, loaded] = [join(project.directory, 'hook.cjs'), join(project.directory, 'loaded')]
  writeFileSync(file, hook(loaded))
  const env = { NODE_OPTIONS: `--require=${JSON.stringify(file)}` }
  for (const args of [['status'], ['status', '--json'], ['status', '--all'], ['ps']]) {
    expect((await harness.locald(args, { cwd: project.directory, env })).code).toBe(0)
  }
  const [plain, json, all, ps] = readFileSync(loaded, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map((path) => basename(path)))
  expect([plain, json, all]).toEqual([['cli.cjs'], ['cli.cjs'], ['cli.cjs']])
  expect(ps?.length).toBeGreaterThan(1)
  const help = await harness.locald(['status', '--help'])
  const { code, stdout } = await harness.locald(['help', 'status'])
  expect(help).toMatchObject({ code, stdout })
  expect(stdout).toContain('locald status')
  expect(await harness.locald(['status', '--nothing'])).toMatchObject({ code: 2, stdout: '' })
  expect((await harness.locald(['statsu'])).stderr).toContain('locald status')
})
