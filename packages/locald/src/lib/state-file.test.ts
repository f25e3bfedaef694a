import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isRecord, readStateFile } from './state-file.ts'

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'state-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const parse = (value: unknown): string | null => (isRecord(value) && value['version'] === 1 ? 'understood' : null)

function read(path: string): { readonly value: string | null; readonly messages: readonly string[] } {
  const messages: string[] = []
  return { value: readStateFile(path, parse, (message) => messages.push(message)), messages }
}

test('readStateFile() gives what was parsed, and nothing without a word when there is no file', () => {
  const path = join(makeDirectory(), 'x.json')
  expect(read(path)).toEqual({ value: null, messages: [] })
  writeFileSync(path, '{"version":1}')
  expect(read(path)).toEqual({ value: 'understood', messages: [] })
})

test.each(['{"version":1', '{"version":2}', '[]', 'null', ''])(
  'readStateFile() sets %j aside and says where',
  (text) => {
    const directory = makeDirectory()
    const path = join(directory, 'x.json')
    writeFileSync(path, text)
    const { value, messages } = read(path)
    const [aside = '', ...more] = readdirSync(directory)
    expect({ value, more }).toEqual({ value: null, more: [] })
    expect(readFileSync(join(directory, aside), 'utf8')).toBe(text)
    expect(messages).toEqual([
      expect.stringContaining(`"x.json" was damaged, or is of another version; it is kept in ${directory}`),
    ])
  },
)

test('readStateFile() lives with a directory in the place of the file', () => {
  const directory = makeDirectory()
  mkdirSync(join(directory, 'x.json'))
  expect(read(join(directory, 'x.json')).messages).toHaveLength(1)
  expect(read(join(directory, 'x.json')).messages).toEqual([])
})
