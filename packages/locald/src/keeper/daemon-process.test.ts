import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { engineOptions, restartDelay } from './daemon-process.ts'

const failed = (...times: readonly number[]) => times.map((at) => ({ at, lived: 10 }))
const served = (...times: readonly number[]) => times.map((at) => ({ at, lived: 500 }))

test('restartDelay() is nothing at first, then doubles, then gives up within a minute', () => {
  expect(restartDelay(failed(0))).toBe(0)
  expect(restartDelay(failed(0, 10))).toBe(100)
  expect(restartDelay(failed(0, 10, 20))).toBe(200)
  expect(restartDelay(failed(0, 10, 20, 30))).toBe(400)
  expect(restartDelay(failed(0, 10, 20, 30, 59_999))).toBe(null)
})

test('restartDelay() forgets crashes after a minute', () => {
  expect(restartDelay(failed(0, 10, 20, 30, 60_030))).toBe(0)
  expect(restartDelay(failed(0, 10, 20, 30_000, 60_025))).toBe(100)
})

test('restartDelay() is nothing after a daemon that had served, which counts towards giving up all the same', () => {
  expect(restartDelay(served(0, 1000, 2000, 3000))).toBe(0)
  expect(restartDelay(served(0, 1000, 2000, 3000, 4000))).toBe(null)
  expect(restartDelay([...served(0, 1000), ...failed(1010)])).toBe(0)
  expect(restartDelay([...served(0), ...failed(1000, 1020)])).toBe(100)
  expect(restartDelay([...failed(0, 10), ...served(600)])).toBe(0)
})

test('engineOptions() are ones that this Node starts with; none for a Node that nobody has tried', () => {
  const { status, stderr } = spawnSync(process.execPath, [...engineOptions(process.versions.node), '-e', '0'])
  expect([status, String(stderr)]).toEqual([0, ''])
  expect(engineOptions('20.19.0')).not.toEqual([])
  expect(engineOptions('99.0.0')).toEqual([])
})
