import * as fc from 'fast-check'
import { parse, stringify } from 'smol-toml'
import { expect, test } from 'vitest'
import { indexToml } from './toml-index.ts'
import type { TomlPath } from './toml-index.ts'

function at(data: unknown, path: TomlPath): unknown {
  let value = data
  for (const part of path) value = (value as Record<string | number, unknown>)[part]
  return value
}

/** Every leaf (and every list and inline table) that the parser sees, but for tables that have headers. */
function leaves(data: unknown, path: TomlPath = []): TomlPath[] {
  if (Array.isArray(data)) return data.flatMap((item, index) => leaves(item, [...path, index]))
  if (typeof data === 'object' && data !== null && !(data instanceof Date)) {
    return Object.entries(data).flatMap(([key, item]) => leaves(item, [...path, key]))
  }
  return [path]
}

/** What the index says is the same as what the parser says: each value's text, parsed alone, is the value at its path. */
function expectAgreement(text: string): void {
  const data: unknown = parse(text)
  const index = indexToml(text)
  for (const path of index.values) {
    const span = index.value(path)
    const written = text.slice(span?.start, span?.end)
    expect({ path, value: parse(`v = ${written}`)['v'] }).toEqual({ path, value: at(data, path) })
    expect(
      index.key(path.findLastIndex((part) => typeof part === 'string') >= 0 ? trimIndices(path) : path),
    ).toBeDefined()
  }
  const found = new Set(index.values.map((path) => JSON.stringify(path)))
  for (const path of leaves(data)) expect(found).toContain(JSON.stringify(path))
}

function trimIndices(path: TomlPath): TomlPath {
  return path.slice(0, path.findLastIndex((part) => typeof part === 'string') + 1)
}

test.each([
  ['dotted keys', 'a.b."c.d" = 1\na . e = 2\n\'x y\'.z = 3\n"t\\u0041\\tb" = 4'],
  ['tables', 'top = 1\n[a]\nb = 2\n[a.c]\nd = 3\n[ e . "f" ] # comment\ng = 4'],
  ['lists of tables', '[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n[[a.e]]\nf = 4\n[[a.e]]\nf = 5'],
  ['inline tables', 'a = { b = 1, c.d = "x", e = [ { f = 1 }, { f = 2 } ] }'],
  ['lists over lines', 'a = [\n  1, # one\n  2,\n  # nothing\n]\nb = [[], [1, [2]]]'],
  [
    'strings',
    `a = "x # = ] } \\" y"\nb = 'c:\\'\nc = """\none "two" ""three\n"""\nd = '''\nit's ''me'''\ne = """a"""""\nf = "" \ng=''`,
  ],
  [
    'numbers, dates and words',
    'a = 1_000 # x\nb = 0xff\nc = -1.5e3\nd = inf\ne = true\nf = 1979-05-27 07:32:00Z\ng = 07:32:00\nh=[1,2]',
  ],
  ['line ends', 'a = 1\r\n[b]\r\nc = "x"\r\nd = [\r\n1,\r\n2]\r\n'],
  ['nothing', '# only a comment'],
])('indexToml() agrees with the parser on %s', (_, text) => {
  expectAgreement(text)
})

test('indexToml() gives the places of keys, values and tables', () => {
  const text = '[services.web]\nport = 3000\n[[x]]\n[[x]]\ny = 1'
  const index = indexToml(text)
  const quote = (span: { start: number; end: number } | undefined): string => text.slice(span?.start, span?.end)
  expect(quote(index.key(['services', 'web']))).toBe('web')
  expect(quote(index.key(['services', 'web', 'port']))).toBe('port')
  expect(quote(index.value(['services', 'web', 'port']))).toBe('3000')
  expect(quote(index.nearest(['services', 'web', 'command']))).toBe('web')
  expect(index.value(['services', 'web'])).toBeUndefined()
  expect(index.value(['x', 1, 'y'])).toEqual({ start: text.length - 1, end: text.length })
})

test('indexToml() indexes what comes before an oddity and stops there', () => {
  const index = indexToml('a = 1\nb ] 2\nc = 3')
  expect(index.value(['a'])).toBeDefined()
  expect(index.value(['c'])).toBeUndefined()
})

test('indexToml() agrees with the parser on whatever can be written', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true }),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }),
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(fc.string(), tie('node'), { maxKeys: 4, noNullPrototype: true }),
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      tie('tree'),
      fc.array(tie('tree'), { maxLength: 2 }),
    ),
  }))
  fc.assert(
    fc.property(tree, (data) => {
      fc.pre(!JSON.stringify(data).includes('__proto__'))
      const text = stringify(data)
      expectAgreement(text)
    }),
    { numRuns: 200 },
  )
})
