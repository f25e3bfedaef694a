import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { KnownEngines } from './known-engines.ts'

const engine = { url: 'unix:///run/docker.sock', certificates: null }

function makeFile(): { readonly file: string; readonly directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'engines-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return { directory, file: join(directory, 'engines.json') }
}

function open(file: string): { readonly engines: KnownEngines; readonly damaged: string[] } {
  const damaged: string[] = []
  const onUnwritten = (error: unknown): void => expect.fail(String(error))
  return { engines: new KnownEngines(file, { onDamaged: (message) => damaged.push(message), onUnwritten }), damaged }
}

test('KnownEngines are there the next time, also those of the first version', async () => {
  const { file } = makeFile()
  open(file).engines.add(engine)
  await vi.waitFor(() => expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ version: 1, engines: [engine] }))
  expect(open(file).engines.all).toEqual([engine])
  writeFileSync(file, JSON.stringify([engine]))
  expect(open(file)).toMatchObject({ engines: { all: [engine] }, damaged: [] })
})

test.each(['[{"url":', '{"version":2,"engines":[]}', '[{"url":1}]'])(
  'KnownEngines of a damaged file, or of another version, are kept aside: %s',
  (text) => {
    const { file, directory } = makeFile()
    writeFileSync(file, text)
    const { engines, damaged } = open(file)
    expect(engines.all).toEqual([])
    expect(damaged).toEqual([expect.stringContaining('"engines.json" was damaged')])
    expect(readdirSync(directory)).toEqual([expect.stringContaining('engines.json.damaged-')])
  },
)
