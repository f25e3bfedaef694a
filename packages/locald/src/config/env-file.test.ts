import { existsSync, readFileSync } from 'node:fs'
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { expandEnv, parseEnvFile, readEnvFile } from './env-file.ts'

type Variables = Readonly<Record<string, string>>

function parsed(text: string): Variables {
  return Object.fromEntries(parseEnvFile(text, '.env').entries.map(({ name, value }) => [name, value]))
}

function expanded(text: string, lower: Variables = {}): Variables {
  const entries = expandEnv(parseEnvFile(text, '.env').entries, (name) => lower[name])
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]))
}

test.each([
  ['A=1\nB = 2 \n', { A: '1', B: '2' }],
  ['export A=1\nexport=2\nC: 3', { A: '1', export: '2', C: '3' }],
  ['A=x # comment\nB=x#y\nC="x # y" # z\n# D=1', { A: 'x', B: 'x', C: 'x # y' }],
  ['A=\nB=""\nC=\'\'', { A: '', B: '', C: '' }],
  ['A="one\ntwo"\nB=\'x\ny\'\nC=`a\'b"c`', { A: 'one\ntwo', B: 'x\ny', C: 'a\'b"c' }],
  ['A="a\\nb\\rc\\td"\nB=a\\nb\nC=\'a\\nb\'', { A: 'a\nb\rc\\td', B: 'a\\nb', C: 'a\\nb' }],
  ['A="say \\"hi\\""\nB="C:\\dir\\"\nC=1', { A: 'say \\"hi\\"', B: 'C:\\dir\\', C: '1' }],
  ['A="unclosed\nB=1', { A: '"unclosed', B: '1' }],
  ['A="x" y\nB=it\'s', { A: '"x" y', B: "it's" }],
  ['A=1\r\nB=2\rC=3', { A: '1', B: '2', C: '3' }],
  ['\uFEFFA=1', { A: '1' }],
  ['A=1\nA=2', { A: '2' }],
  ['a.b-c=1', { 'a.b-c': '1' }],
])('parseEnvFile() reads %j', (text, expected) => {
  expect(parsed(text)).toEqual(expected)
})

test('parseEnvFile() warns about a quote that is not closed, and of no other', () => {
  const { diagnostics } = parseEnvFile('A="x" y\nexport B="open\nC=\'\nD=it\'s\nE="two\nlines"\n', '/p/.env')
  expect(diagnostics).toMatchObject([
    { severity: 'warning', code: 'env-quote-open', line: 2, column: 8, source: 'export B="open', length: 7 },
    { severity: 'warning', code: 'env-quote-open', line: 3, column: 1, source: "C='", length: 3 },
  ])
})

test('parseEnvFile() gives each entry its quotes and its place', () => {
  const { entries } = parseEnvFile('\n  export A=1\nB="x\ny"\r\n\nC=\'z\'\nD=`q`\nE="', '/p/.env')
  expect(entries.map(({ name, quote, place }) => [name, quote, place.line, place.column])).toEqual([
    ['A', 'none', 2, 10],
    ['B', 'double', 3, 1],
    ['C', 'single', 6, 1],
    ['D', 'backtick', 7, 1],
    ['E', 'double', 8, 1],
  ])
  expect(entries[0]?.place.file).toBe('/p/.env')
})

test('parseEnvFile() warns about lines that are no assignment', () => {
  const { diagnostics } = parseEnvFile('A=1\n  just words\n# fine\n\nFOO+BAR=x\n', '.env')
  expect(diagnostics).toMatchObject([
    { severity: 'warning', code: 'env-line-ignored', line: 2, column: 3, length: 10, source: '  just words' },
    { line: 5, column: 1 },
  ])
})

test.each([
  ['B=$A-${A}', { A: 'x' }, { B: 'x-x' }],
  ['B="$A"\nC=\'$A\'\nD=`$A`', { A: 'x' }, { B: 'x', C: '$A', D: '$A' }],
  ['A=file\nB=$A', { A: 'lower' }, { A: 'file', B: 'file' }],
  ['B=$A\nA=later', {}, { B: '', A: 'later' }],
  ['A=1\nB=$A\nA=2\nC=$A', {}, { A: '2', B: '1', C: '2' }],
  ['PATH=$PATH:bin', { PATH: '/usr/bin' }, { PATH: '/usr/bin:bin' }],
  ['A=${X:-d}\nB=${E:-d}\nC=${E-d}\nD=${X:-${Y:-z}}\nE=${X:-}', { E: '' }, { A: 'd', B: 'd', C: '', D: 'z', E: '' }],
  ['A=\\$X\nB="\\${X}"\nC=a$\nD=a$1\nE=$$X', { X: 'x' }, { A: '$X', B: '${X}', C: 'a$', D: 'a$1', E: '$x' }],
  ['A=$(rm -rf x)\nB=`echo`', {}, { A: '$(rm -rf x)', B: 'echo' }],
  ['A=${X\nB=${X:?no}\nC=${X:-a', { X: 'x' }, { A: '${X', B: '${X:?no}', C: '${X:-a' }],
  ['A=$B', { B: '$C', C: 'c' }, { A: '$C' }],
])('expandEnv() expands %j over %j', (text, lower, expected) => {
  expect(expanded(text, lower)).toEqual(expected)
})

test('expandEnv() names what nobody defines', () => {
  const entries = parseEnvFile('A="pa$word"\nB=${X:-d}\nC=\'$nothing\'', '.env').entries
  expect(expandEnv(entries, () => undefined).map(({ unresolved }) => unresolved)).toEqual([['word'], [], []])
})

test('readEnvFile() tells a missing file from one that cannot be read', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'locald-env-'))
  try {
    expect(await readEnvFile(join(dir, '.env'))).toBeUndefined()
    await writeFile(join(dir, '.env'), 'A=1')
    expect((await readEnvFile(join(dir, '.env')))?.entries).toMatchObject([{ name: 'A', value: '1' }])
    await mkdir(join(dir, '.env.local'))
    await expect(readEnvFile(join(dir, '.env.local'))).rejects.toMatchObject({
      code: 'env_file_unreadable',
      message: expect.stringContaining(join(dir, '.env.local')),
      hint: expect.any(String),
    })
  } finally {
    await rm(dir, { recursive: true })
  }
})

test.skipIf(process.getuid?.() !== 0)("readEnvFile() refuses another user's, but not root's", async () => {
  const dir = await mkdtemp(join(tmpdir(), 'locald-env-'))
  const file = join(dir, '.env')
  try {
    await writeFile(file, 'NODE_OPTIONS=--require=/tmp/theirs.cjs')
    expect(await readEnvFile(file, 12_345)).toMatchObject({ file })
    await chown(file, 12_345, 12_345)
    await expect(readEnvFile(file)).rejects.toMatchObject({
      code: 'config_refused',
      message: expect.stringContaining('another user (uid 12345)'),
      hint: expect.stringContaining(`chown 0 "${file}"`),
    })
  } finally {
    await rm(dir, { recursive: true })
  }
})

const corpora = process.env['LOCALD_CORPORA'] ?? resolve(import.meta.dirname, '../../../../../shared/corpora')
const corpus = join(corpora, 'dotenv.json')

interface Case {
  readonly id: string
  readonly input: string
  readonly env: Variables
  readonly expected: Variables | null
  readonly exact?: boolean
  readonly absent?: readonly string[]
  readonly tier: 'A' | 'B' | 'C' | 'D'
  readonly agree: readonly string[]
  readonly disagree: Readonly<Record<string, Variables>>
}

/** The grammar that ours follows, and its companion that expands. */
const grammar = 'dotenv-js@17.4.2'
const expanding = 'dotenv-js+expand@1000'

/** Where locald means to differ from both the expectation and dotenv with its expansion; none of these is in tier A. */
const departures: Readonly<Record<string, readonly string[]>> = {
  'a name means the entry of the file, not a variable of the shell': ['048', '055', '056', '077', '202', '385', '413'],
  'a name means an entry above, not one below': ['054', '060'],
  'commands are never executed': ['110', '111', '113', '114', '115', '121'],
  'a name without "=" takes nothing from the shell': ['200', '201'],
  'only the default operators are known, not :+ + :? ?': ['061', '448', '449', '450', '451', '452', '453'],
  'single-quoted values are literal': ['378', '402'],
}
const departing = new Set(Object.values(departures).flatMap((ids) => ids.map((id) => `dotenv-${id}`)))

describe.skipIf(!existsSync(corpus))('env files from the field (needs LOCALD_CORPORA)', () => {
  const cases = existsSync(corpus) ? (JSON.parse(readFileSync(corpus, 'utf8')) as Case[]) : []
  const sorted = (variables: Variables): readonly unknown[] =>
    Object.entries(variables).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const resultOf = (one: Case, tool: string): Variables | undefined =>
    one.agree.includes(tool) ? (one.expected ?? undefined) : one.disagree[tool]
  /** The tools of the corpus leave variables alone that are set already; which of the two wins is not the dialect's matter. */
  const unlessSet = (one: Case, variables: Variables): Variables =>
    Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, one.env[name] ?? value]))

  const meets = (one: Case, found: Variables): boolean =>
    one.expected !== null &&
    Object.entries(one.expected).every(([name, value]) => found[name] === value) &&
    (one.exact !== true || Object.keys(found).length === Object.keys(one.expected).length) &&
    (one.absent ?? []).every((name) => !(name in found))

  test('parseEnvFile() reads every input as npm dotenv does', () => {
    const different = cases.filter((one) => {
      const theirs = resultOf(one, grammar)
      // Where it agrees with an expectation, that may name only some of the variables.
      if (theirs === undefined || one.agree.includes(grammar)) return false
      return (
        JSON.stringify(sorted(unlessSet(one, parsed(one.input)))) !== JSON.stringify(sorted(unlessSet(one, theirs)))
      )
    })
    expect(different.map(({ id }) => id)).toEqual([])
    expect(cases.length).toBeGreaterThan(400)
  })

  test('expandEnv() meets every expectation of tier A', () => {
    const all = cases.filter(({ tier }) => tier === 'A')
    const missed = all.filter((one) => !meets(one, unlessSet(one, expanded(one.input, one.env))))
    expect(missed.map(({ id }) => id)).toEqual([])
    expect(all.length).toBeGreaterThan(100)
  })

  test('expandEnv() meets the other expectations or does as dotenv does, but for what is listed', () => {
    const unexplained = cases.filter((one) => {
      const found = unlessSet(one, expanded(one.input, one.env))
      if (meets(one, found)) return false
      const theirs = resultOf(one, expanding)
      return theirs === undefined || JSON.stringify(sorted(found)) !== JSON.stringify(sorted(theirs))
    })
    expect(unexplained.map(({ id }) => id).filter((id) => !departing.has(id))).toEqual([])
    const listed = unexplained.map(({ id }) => id)
    expect([...departing].filter((id) => !listed.includes(id))).toEqual([])
  })
})
