// `locald init` on a terminal, where it asks.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'
import { loc, openTerminal } from '../support/terminal.ts'
import type { Terminal } from '../support/terminal.ts'

function initIn(cwd: string, { env }: Harness): Terminal {
  return openTerminal(`exec ${loc} init`, { cwd, env })
}

async function answer(terminal: Terminal, question: string, text: string): Promise<void> {
  await terminal.waitFor(question)
  terminal.type(`${text}\r`)
}

test('from nothing it asks for services and the name of the project, and what it writes runs', async () => {
  await using harness = createHarness()
  const project = harness.project({}, 'shop')
  await using terminal = initIn(project.directory, harness)
  await answer(terminal, 'Name of the first service', '')
  await answer(terminal, 'One service is needed', 'jobs')
  await answer(terminal, 'Command of jobs', 'echo "at work"; exec sleep 1000')
  await answer(terminal, 'Name of the next service', 'jobs')
  await terminal.waitFor('There is one of that name already')
  terminal.type('\u0015more\r')
  await answer(terminal, 'Command of more', 'exec sleep 1000')
  await answer(terminal, 'Name of the next service', '')
  await terminal.waitFor('Name of the project')
  terminal.type('\u0015store\r')
  await terminal.waitFor('Wrote')
  expect(await terminal.ended).toBe(0)
  await project.up()
  expect(await project.status()).toMatchObject({ project: 'store', services: [{ name: 'jobs' }, { name: 'more' }] })
  expect(await project.lines('jobs')).toEqual(['at work'])
  await project.locald('stop')
})

test('from a Procfile it shows what it would write, and writes it when told that it is right', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'jobs: exec sleep 1000\n' }, 'shop')
  await using terminal = initIn(project.directory, harness)
  await terminal.waitFor('command = "exec sleep 1000"')
  await terminal.waitFor('Write this to locald.toml?')
  terminal.type('y')
  await terminal.waitFor('from Procfile')
  expect(await terminal.ended).toBe(0)
  expect(readFileSync(join(project.directory, 'locald.toml'), 'utf8')).toContain('[services.jobs]')
})

test('Ctrl-C among the questions writes nothing', async () => {
  await using harness = createHarness()
  const project = harness.project({}, 'shop')
  await using terminal = initIn(project.directory, harness)
  await answer(terminal, 'Name of the first service', 'jobs')
  await terminal.waitFor('Command of jobs')
  terminal.type('\u0003')
  await terminal.waitFor('Nothing was written')
  expect(await terminal.ended).toBe(130)
  expect(existsSync(join(project.directory, 'locald.toml'))).toBe(false)
})
