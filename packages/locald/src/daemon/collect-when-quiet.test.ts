import { getHeapSpaceStatistics } from 'node:v8'
import { expect, test } from 'vitest'
import { collectWhenQuiet } from './collect-when-quiet.ts'

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0
}

test('collectWhenQuiet() gives back what work has left, once nothing has happened for a while', async () => {
  const left = []
  for (let n = 0; n < 300_000; n += 1) left.push({ n })
  const grown = youngBytes()
  left.length = 0
  const errors: unknown[] = []
  collectWhenQuiet((error) => errors.push(error))
  await expect.poll(youngBytes, { timeout: 15_000 }).toBeLessThan(grown / 2)
  expect(errors).toEqual([])
}, 20_000)
