import { expect, test } from 'vitest'
import { nearestName } from './nearest-name.ts'

const keys = ['command', 'depends_on', 'env', 'env_file', 'port', 'port_discovery', 'restart']

test.each([
  ['comand', 'command'],
  ['Command', 'command'],
  ['depend_on', 'depends_on'],
  ['depends-on', 'depends_on'],
  ['prot', 'port'],
  ['envfile', 'env_file'],
  ['rest', 'restart'],
])('nearestName() takes %j for %j', (name, expected) => {
  expect(nearestName(name, keys)).toBe(expected)
})

test.each(['zebra', 'x', '', 'volumes'])('nearestName() has no guess for %j', (name) => {
  expect(nearestName(name, keys)).toBeUndefined()
})
