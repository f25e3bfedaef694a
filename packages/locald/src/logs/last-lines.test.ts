import { expect, test } from 'vitest'
import { lastLines } from './last-lines.ts'
import { LogFixture } from './log-fixture.ts'

test('lastLines() gives the last output, of one run if asked to, without what locald says', async () => {
  await using logs = await LogFixture.create()
  for (const run of [1, 2]) {
    await logs.record('web', { type: 'run.started', pid: 42 }, { run })
    await logs.output('web', `first ${String(run)}\nsecond ${String(run)}\nno line feed ${String(run)}`, { run })
    await logs.record('web', { type: 'run.exited', code: 1, signal: null }, { run })
  }
  const texts = async (count: number, options?: { run: number }): Promise<string[]> =>
    (await lastLines(logs.source('web'), count, options)).map(({ text }) => text)
  expect(await texts(2)).toEqual(['second 2', 'no line feed 2'])
  expect(await texts(10, { run: 1 })).toEqual(['first 1', 'second 1', 'no line feed 1'])
  expect(await texts(1, { run: -1 })).toEqual(['no line feed 2'])
  expect(await lastLines(logs.source('never'), 5)).toEqual([])
})
