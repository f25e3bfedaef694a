import { expect, test } from 'vitest'
import { UntakenBytes } from './untaken-bytes.ts'

test('what waits is untaken since it was first seen, or since some of it was taken', () => {
  const untaken = new UntakenBytes()
  const sinces = [
    [0, 0],
    [100, 0],
    [100, 0],
    [150, 0],
    [150, 1],
    [150, 1],
    [149, 1],
    [0, 1],
  ].map(([waiting = 0, moves = 0], index) => {
    untaken.look(waiting, moves, index)
    return untaken.since
  })
  expect(sinces).toEqual([Infinity, 1, 1, 1, 4, 4, 6, Infinity])
})
