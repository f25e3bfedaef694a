import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseProcfile } from './procfile.ts'

const pairs = (text: string): readonly (readonly [string, string])[] =>
  parseProcfile(text, 'Procfile').entries.map(({ name, command }) => [name, command])
const warnings = (text: string): readonly string[] =>
  parseProcfile(text, 'Procfile').diagnostics.map(({ code, line }) => `${line}: ${code}`)

test('parseProcfile() reads names and commands in their order', () => {
  const text = '# comment\nweb: bin/rails s -p $PORT\n\nworker-2:\tbin/jobs # not a comment\r\nwe_b:x\n'
  expect(pairs(text)).toEqual([
    ['web', 'bin/rails s -p $PORT'],
    ['worker-2', 'bin/jobs # not a comment'],
    ['we_b', 'x'],
  ])
  expect(warnings(text)).toEqual([])
})

test('parseProcfile() keeps a command that contains a colon', () => {
  expect(pairs('web: gunicorn app:app --bind http://x')).toEqual([['web', 'gunicorn app:app --bind http://x']])
})

test.each([
  ['  web: x\n', ['1: indented-line', '1: empty-file'], []],
  ['web x\n', ['1: no-colon', '1: empty-file'], []],
  ['+web: x\nb: y', ['1: ignored-line'], [['b', 'y']]],
  ['web:\nb: y', ['1: ignored-line'], [['b', 'y']]],
  ['\uFEFFweb: x\nb: y', ['1: byte-order-mark'], [['b', 'y']]],
  [
    'a: x \t\nb: y',
    ['1: trailing-space'],
    [
      ['a', 'x \t'],
      ['b', 'y'],
    ],
  ],
  [
    'a: x\nb: y\na: z',
    ['3: duplicate-name'],
    [
      ['a', 'x'],
      ['b', 'y'],
      ['a', 'z'],
    ],
  ],
  ['', ['1: empty-file'], []],
])('parseProcfile() warns about %j and reads the rest', (text, codes, entries) => {
  expect(warnings(text)).toEqual(codes)
  expect(pairs(text)).toEqual(entries)
})

test('parseProcfile() gives the place of a warning', () => {
  const [warning] = parseProcfile('web: x\n   worker: y\n', 'Procfile').diagnostics
  expect(warning).toMatchObject({
    severity: 'warning',
    file: 'Procfile',
    line: 2,
    column: 4,
    length: 9,
    source: '   worker: y',
  })
})

const corpora = process.env['LOCALD_CORPORA'] ?? resolve(import.meta.dirname, '../../../../../shared/corpora')
const folder = join(corpora, 'procfiles')

describe.skipIf(!existsSync(folder))('Procfiles from the field (needs LOCALD_CORPORA)', () => {
  interface Expectation {
    readonly file: string
    readonly expected: readonly (readonly [string, string])[] | { readonly error: string }
    readonly features: readonly string[]
  }
  const cases: readonly Expectation[] = existsSync(folder)
    ? (JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expectation[])
    : []

  test('the corpus is whole', () => {
    expect(cases.length).toBeGreaterThan(150)
  })

  test.each(cases.map((entry) => [entry.file, entry] as const))(
    'parseProcfile() reads %s as foreman does',
    (file, entry) => {
      const parsed = parseProcfile(readFileSync(join(folder, file), 'utf8'), file)
      const found = parsed.entries.map(({ name, command }) => [name, command])
      expect(found).toEqual('error' in entry.expected ? [] : entry.expected)
      const codes = parsed.diagnostics.map(({ code }) => code)
      if ('error' in entry.expected) expect(codes).toContain('empty-file')
      expect(codes.includes('trailing-space')).toBe(found.some(([, command]) => command !== command?.trimEnd()))
      if (entry.features.includes('duplicate-name')) expect(codes).toContain('duplicate-name')
    },
  )
})
