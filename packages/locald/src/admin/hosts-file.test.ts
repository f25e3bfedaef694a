import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { planHosts } from './hosts-file.ts'

const file = '127.0.0.1 localhost mine.test\n::1 localhost mine.test\n10.0.0.7 db.test\n'

test('a plan says what comes, what goes and what stays', () => {
  const { text } = planHosts(file, ['a.test', 'b.test'])
  const plan = planHosts(text, ['b.test', 'c.test', 'B.Test'])
  expect(plan).toMatchObject({ added: ['c.test'], removed: ['a.test'], kept: ['b.test'], refused: [], warnings: [] })
  expect(planHosts(plan.text, []).text).toBe(file)
})

test('names that are not to be taken over are refused, each with its reason', () => {
  const names = ['localhost', hostname(), 'db.test', 'a b', 'ok.test']
  const { refused, added, text } = planHosts(file, names)
  expect(added).toEqual(['ok.test'])
  expect(refused).toEqual([
    { name: 'localhost', reason: 'it is the name of this machine' },
    { name: hostname().toLowerCase(), reason: 'it is the name of this machine' },
    { name: 'db.test', reason: 'the file leads it to 10.0.0.7 already' },
    { name: 'a b', reason: 'it is not the name of a host' },
  ])
  expect(text.startsWith(file)).toBe(true)
})

test('a name that leads here already needs nothing', () => {
  expect(planHosts(file, ['mine.test'])).toMatchObject({ text: file, present: ['mine.test'], added: [] })
})

test('a public name and a stray marker are pointed out', () => {
  const { warnings } = planHosts(`${file}# locald end\n`, ['app.example.com'])
  expect(warnings).toEqual([
    '"app.example.com" is a name of the internet; this machine reaches only itself by it, until it is removed',
    expect.stringContaining('stands without the other one'),
  ])
})
