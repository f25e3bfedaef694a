import { beforeEach, expect, test } from 'vitest'
import { NameLookups } from './name-lookups.ts'

let now = 0
let addresses: Record<string, readonly string[] | Promise<readonly string[]>> = {}
let asked: string[] = []
let changes = 0
let lookups: NameLookups
beforeEach(() => {
  now = 0
  addresses = {}
  asked = []
  changes = 0
  const ask = async (host: string): Promise<readonly string[]> => {
    asked.push(host)
    return (await addresses[host]) ?? Promise.reject(new Error('ENOTFOUND'))
  }
  lookups = new NameLookups(() => (changes += 1), { ask, now: () => now })
})

test('refresh() sees a name that came to lead here, and one that does so no more, seconds after the last look', async () => {
  await lookups.look(['shop.test'])
  expect([lookups.leadsHere('shop.test'), changes]).toEqual([false, 0])
  addresses['shop.test'] = ['127.0.0.1', '::1']
  now += 3000
  expect(await lookups.refresh(['shop.test'])).toBe(true)
  expect([lookups.leadsHere('shop.test'), changes]).toEqual([true, 1])
  addresses['shop.test'] = ['203.0.113.9']
  now += 3000
  await lookups.refresh(['shop.test'])
  expect([lookups.leadsHere('shop.test'), changes]).toEqual([false, 2])
})

test('refresh() asks nothing anew of what was looked up just now, and of names that lead here by themselves', async () => {
  addresses['shop.test'] = ['127.0.0.1']
  expect(await lookups.refresh(['shop.test', 'shop.localhost', '*.shop.test'])).toBe(true)
  now += 1000
  expect(await lookups.refresh(['shop.test', 'shop.localhost', '*.shop.test'])).toBe(false)
  expect(asked).toEqual(['shop.test'])
})

test('refresh() does not wait for a resolver that hangs; what it says later is told', async () => {
  let say: (found: readonly string[]) => void = () => undefined
  addresses['shop.test'] = new Promise((resolve) => (say = resolve))
  expect(await lookups.refresh(['shop.test'])).toBe(true)
  expect(lookups.leadsHere('shop.test')).toBe(false)
  now += 1000
  // Who asks again while it hangs does not wait again.
  const began = performance.now()
  expect(await lookups.refresh(['shop.test'])).toBe(true)
  expect(performance.now() - began).toBeLessThan(200)
  const again = lookups.look(['shop.test'])
  say(['127.0.0.1'])
  await again
  expect([lookups.leadsHere('shop.test'), changes, asked.length]).toEqual([true, 1, 1])
})

test('look() asks anew when something was changed, and what was asked before does not undo the answer', async () => {
  let say: () => void = () => undefined
  addresses['shop.test'] = new Promise((_, reject) => (say = () => reject(new Error('ENOTFOUND'))))
  const first = lookups.look(['shop.test'])
  addresses['shop.test'] = ['127.0.0.1']
  await lookups.look(['shop.test'], { now: true })
  say()
  await first
  expect([lookups.leadsHere('shop.test'), changes, asked.length]).toEqual([true, 1, 2])
})

test('look() leaves good answers alone for a minute, and bad ones for some seconds', async () => {
  addresses['good.test'] = ['127.0.0.1']
  await lookups.look(['good.test', 'bad.test'])
  now += 6000
  await lookups.look(['good.test', 'bad.test'])
  expect(asked).toEqual(['good.test', 'bad.test', 'bad.test'])
})
