import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { described } from '../proxy/pages/testing/descriptions.ts'
import type { ServiceDescription } from '../proxy/pages/service-description.ts'
import { WatchedPages } from './watched-pages.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

interface World {
  readonly pages: WatchedPages
  summary: string
  readonly asked: string[]
  readonly told: (readonly [string, string | undefined])[]
  readonly faults: unknown[]
}

function open(describe?: () => Promise<ServiceDescription | null>): World {
  const world = {
    summary: 'it starts',
    asked: [] as string[],
    told: [] as (readonly [string, string | undefined])[],
    faults: [] as unknown[],
  }
  const pages = new WatchedPages({
    describe: async (key) => {
      world.asked.push(key)
      return describe === undefined ? described({ summary: world.summary }) : await describe()
    },
    tell: (key, description) => void world.told.push([key, description?.summary]),
    onError: (_key, error) => void world.faults.push(error),
  })
  return Object.assign(world, { pages })
}

test('nothing is asked while no page is open, nor while nothing happens', async () => {
  const world = open()
  world.pages.changed('p1')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(world.asked).toEqual([])
  world.pages.watch(['p1/web', 'p2/api'])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(world.told).toEqual([
    ['p1/web', 'it starts'],
    ['p2/api', 'it starts'],
  ])
  expect(world.asked).toEqual(['p1/web', 'p2/api'])
  world.pages.watch([])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(world.asked.length).toBe(2)
})

test('many changes are few descriptions, and only one that differs is told', async () => {
  const world = open()
  world.pages.watch(['p1/web', 'p2/api'])
  await vi.advanceTimersByTimeAsync(0)
  for (let count = 0; count < 1000; count += 1) {
    if (count === 990) world.summary = 'it is slow'
    world.pages.changed('p1')
    await vi.advanceTimersByTimeAsync(1)
  }
  await vi.advanceTimersByTimeAsync(250)
  expect(world.asked.filter((key) => key === 'p1/web').length).toBeLessThanOrEqual(6)
  expect(world.told).toEqual([
    ['p1/web', 'it starts'],
    ['p2/api', 'it starts'],
    ['p1/web', 'it is slow'],
  ])
})

test('what changes while it is described is described again; what cannot be, with the next change', async () => {
  let answer = (_description: ServiceDescription | null): void => undefined
  let fail = (_error: Error): void => undefined
  const world = open(
    async () =>
      await new Promise((resolve, reject) => {
        answer = resolve
        fail = reject
      }),
  )
  world.pages.watch(['p1/web'])
  await vi.advanceTimersByTimeAsync(1000)
  world.pages.changed('p1')
  world.pages.changed('p1')
  await vi.advanceTimersByTimeAsync(1000)
  expect(world.asked.length).toBe(1)
  answer(described({ summary: 'first' }))
  await vi.advanceTimersByTimeAsync(1000)
  expect(world.asked.length).toBe(2)
  fail(new Error('The log is gone'))
  await vi.advanceTimersByTimeAsync(1000)
  expect(world.faults).toEqual([new Error('The log is gone')])
  world.pages.changed('p1')
  await vi.advanceTimersByTimeAsync(0)
  answer(null)
  await vi.advanceTimersByTimeAsync(0)
  expect(world.told).toEqual([
    ['p1/web', 'first'],
    ['p1/web', undefined],
  ])
})
