import { expect, test } from 'vitest'
import { contestedHolders, heldByOthers, settleHolders } from './host-holders.ts'
import type { HostClaimant } from './host-holders.ts'

const claimant = (project: string, upAt: number, isUp = true, hosts = ['shop.localhost']): HostClaimant => ({
  project,
  hosts,
  isUp,
  upAt,
})
const holder = (before: Readonly<Record<string, string>>, ...claimants: readonly HostClaimant[]): string | undefined =>
  settleHolders(new Map(Object.entries(before)), claimants).get('shop.localhost')

test('settleHolders() leaves a name with the project that has it, as long as that is up', () => {
  expect(holder({}, claimant('a', 1))).toBe('a')
  expect(holder({ 'shop.localhost': 'a' }, claimant('a', 5), claimant('b', 2))).toBe('a')
  expect(holder({ 'shop.localhost': 'a' }, claimant('a', 5, false), claimant('b', 2))).toBe('b')
})

test('settleHolders() gives a free name to the one that came up first, else to the one that was up last', () => {
  expect(holder({}, claimant('b', 2), claimant('a', 1))).toBe('a')
  expect(holder({}, claimant('a', 1, false), claimant('b', 2, false), claimant('c', 0, false))).toBe('b')
})

test('settleHolders() decides for each name by itself', () => {
  const holders = settleHolders(new Map([['x', 'b']]), [
    claimant('a', 1, true, ['x', 'y']),
    claimant('b', 2, true, ['x', 'z']),
  ])
  expect(Object.fromEntries(holders)).toEqual({ x: 'b', y: 'a', z: 'b' })
})

test('heldByOthers() names what a project goes without, and who has it', () => {
  const [a, b, down] = [claimant('a', 1), claimant('b', 2), claimant('c', 3, false)]
  const all = [a, b, down]
  const holders = settleHolders(new Map(), all)
  expect(heldByOthers(a, holders, all)).toEqual([])
  expect(heldByOthers(b, holders, all)).toEqual([{ host: 'shop.localhost', holder: 'a' }])
  expect(heldByOthers(b, new Map([['shop.localhost', 'c']]), all)).toEqual([])
})

test('contestedHolders() keeps only what another daemon could not find out', () => {
  const all = [claimant('a', 1, true, ['x', 'y']), claimant('b', 2, true, ['y']), claimant('c', 3, false, ['x'])]
  expect(contestedHolders(settleHolders(new Map(), all), all)).toEqual({ y: 'a' })
})
