import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Aliases } from './aliases.ts'

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'aliases-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

function open(directory: string): { readonly aliases: Aliases; readonly damaged: string[] } {
  const damaged: string[] = []
  const nothing = (): void => {}
  return { aliases: new Aliases(join(directory, 'aliases.json'), nothing, (message) => damaged.push(message)), damaged }
}

test('Aliases are there the next time', async () => {
  const directory = makeDirectory()
  await open(directory).aliases.set('grafana.localhost', 3000)
  const { aliases, damaged } = open(directory)
  expect([...aliases.ports]).toEqual([['grafana.localhost', 3000]])
  expect(damaged).toEqual([])
})

test.each([
  '{"version":1,"ports":{"grafana.localh',
  '{"version":2,"ports":{"grafana.localhost":3000}}',
  '{"version":1,"ports":{"grafana.localhost":3000,"shop.localhost":"?"}}',
])('Aliases of a damaged file, or of another version, are kept aside and not written over: %s', async (text) => {
  const directory = makeDirectory()
  writeFileSync(join(directory, 'aliases.json'), text)
  const { aliases, damaged } = open(directory)
  expect(aliases.ports.size).toBe(0)
  expect(damaged).toEqual([expect.stringContaining('"aliases.json" was damaged')])
  await aliases.set('new.localhost', 1)
  const aside = readdirSync(directory).find((name) => name.includes('.damaged-')) ?? ''
  expect(readFileSync(join(directory, aside), 'utf8')).toBe(text)
})
