import { expect, test } from 'vitest'
import { isWritableName, isPublicName, isSuffix } from './writable-name.ts'

test.each(['shop.localhost', 'a.b.c.test', 'x1.test', '1.test', `${'a'.repeat(63)}.test`])(
  '%s can be written',
  (name) => {
    expect(isWritableName(name)).toBe(true)
  },
)

test.each([
  'localhost',
  'Shop.test',
  '-a.test',
  'a-.test',
  'a..test',
  '.test',
  'a.test.',
  'a_b.test',
  '127.0.0.1',
  'a.1',
  '*.test',
  `${'a'.repeat(64)}.test`,
  `${'a.'.repeat(130)}test`,
  'a.test\n',
])('%j cannot be written', (name) => {
  expect(isWritableName(name)).toBe(false)
})

test('a suffix may be one label', () => {
  expect([isSuffix('test'), isSuffix('dev.example.com'), isSuffix('-'), isSuffix('')]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('only names that nobody can register are not public', () => {
  expect(['shop.localhost', 'test', 'shop.internal'].filter(isPublicName)).toEqual([])
  expect(['app.example.com', 'mytest', 'shop.dev', 'notlocalhost'].filter((name) => !isPublicName(name))).toEqual([])
})
