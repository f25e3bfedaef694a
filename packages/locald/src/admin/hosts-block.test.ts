import { array, assert, constantFrom, oneof, property, string, tuple, uniqueArray } from 'fast-check'
import { expect, test } from 'vitest'
import { foreignEntries, namesInBlock, strayMarkers, withNames } from './hosts-block.ts'

const begin = '# locald begin'
const end = '# locald end'

test('a block is added at the end and holds each name with both addresses', () => {
  const text = withNames('127.0.0.1 localhost\n', ['web.shop.test', 'api.shop.test'])
  expect(text.split('\n')).toEqual([
    '127.0.0.1 localhost',
    '# locald begin: kept by "locald admin sync-hosts"; what is written in here is lost',
    '127.0.0.1\tapi.shop.test',
    '::1\tapi.shop.test',
    '127.0.0.1\tweb.shop.test',
    '::1\tweb.shop.test',
    '# locald end',
    '',
  ])
  expect(namesInBlock(text)).toEqual(['api.shop.test', 'web.shop.test'])
})

test('a block is replaced where it stands', () => {
  const text = `a\n${begin}\n127.0.0.1 old.test\n${end}\nb\n`
  const changed = withNames(text, ['new.test'])
  expect(changed).toMatch(/^a\n# locald begin.*\n127.0.0.1\tnew.test\n::1\tnew.test\n# locald end\nb\n$/)
  expect(withNames(changed, ['new.test'])).toBe(changed)
})

test('of several blocks the first one is kept', () => {
  const block = `${begin}\n127.0.0.1 old.test\n${end}\n`
  const text = withNames(`a\n${block}b\n${block}c\n`, ['new.test'])
  expect(text).toMatch(/^a\n# locald begin[^]*# locald end\nb\nc\n$/)
})

test('a file with carriage returns gets a block with carriage returns', () => {
  const text = withNames('127.0.0.1 localhost\r\n', ['new.test'])
  expect(text.replaceAll('\r\n', '')).not.toContain('\n')
})

test.each([
  ['no begin', `a\n${end}\nb\n`, 1],
  ['no end', `${begin}\n10.0.0.1 mine\n`, 1],
  ['two begins', `${begin}\n10.0.0.1 mine\n${begin}\n127.0.0.1 x.test\n${end}\n`, 1],
  ['two ends', `${begin}\n${end}\n10.0.0.1 mine\n${end}\n`, 1],
])('a marker without its other half takes no line with it: %s', (_, text, stray) => {
  expect(strayMarkers(text)).toBe(stray)
  const written = withNames(text, ['new.test'])
  expect(namesInBlock(written)).toEqual(['new.test'])
  expect(strayMarkers(written)).toBe(stray)
  if (text.includes('mine')) expect(withNames(written, [])).toContain('10.0.0.1 mine\n')
})

test('markers pair like brackets: none that stood alone finds its half when a block goes', () => {
  const text = `a\n${begin}\n${begin}\n127.0.0.1 x.test\n${end}\n${end}\nb\n`
  expect(namesInBlock(text)).toEqual(['x.test'])
  expect(strayMarkers(text)).toBe(0)
  expect(withNames(text, [])).toBe('a\nb\n')
  expect(withNames(withNames(text, ['new.test']), [])).toBe('a\nb\n')
})

test('the rest of the file is what it was, byte for byte, whatever it holds', () => {
  const line = oneof(
    constantFrom(begin, end),
    constantFrom('127.0.0.1 localhost', '# comment', '', '\r', '  ', '\xff\xfe', '# locald beginning'),
    string(),
  )
  const names = uniqueArray(constantFrom('a.test', 'b.test', 'c.shop.localhost'))
  const file = tuple(array(line), constantFrom('\n', '\r\n'), constantFrom('', '\n', '\r\n'))
  assert(
    property(file, names, names, ([lines, newline, last], first, second) => {
      const clean = withNames(lines.join(newline) + last, [])
      const twice = withNames(withNames(clean, first), second)
      expect([...namesInBlock(twice)].sort()).toEqual([...second].sort())
      expect(withNames(twice, [])).toBe(clean)
    }),
  )
})

test('a name that is none is never written', () => {
  for (const name of ['a b.test', 'x.test\n10.0.0.1 bank.example', 'localhost', '#a.test', 'a_b.test', '1.2', '']) {
    expect(() => withNames('', [name]), name).toThrow('is no host name')
  }
})

test('what the rest of the file says of a name is seen, what the block says is not', () => {
  const text = `10.0.0.1 Db.Test db # here\n#10.0.0.2 no.test\n${begin}\n127.0.0.1 own.test\n${end}\n::1 db.test\n`
  expect(Object.fromEntries(foreignEntries(text))).toEqual({ 'db.test': ['10.0.0.1', '::1'], db: ['10.0.0.1'] })
})
