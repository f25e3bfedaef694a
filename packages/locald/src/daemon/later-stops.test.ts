import { expect, test } from 'vitest'
import { LaterStops } from './later-stops.ts'

const web = new Set(['web', 'db'])

test('a stop counts for what came before it, not for what comes after it', () => {
  const stops = new LaterStops()
  using earlier = stops.arrive()
  using stop = stops.arrive()
  stop.stop('shop', null)
  using later = stops.arrive()
  expect(earlier.isStoppedSince('shop', web)).toBe(true)
  expect(earlier.isStoppedSince('blog', web)).toBe(false)
  expect(later.isStoppedSince('shop', web)).toBe(false)
})

test('a stop of some services counts for orders that are about one of them', () => {
  const stops = new LaterStops()
  using earlier = stops.arrive()
  using stop = stops.arrive()
  stop.stop('shop', new Set(['db']))
  expect(earlier.isStoppedSince('shop', web)).toBe(true)
  expect(earlier.isStoppedSince('shop', new Set(['mail']))).toBe(false)
})

test('a stop of everything counts for all projects', () => {
  const stops = new LaterStops()
  using earlier = stops.arrive()
  stops.stopAll()
  using later = stops.arrive()
  expect(earlier.isStoppedSince('shop', web)).toBe(true)
  expect(later.isStoppedSince('shop', web)).toBe(false)
})
