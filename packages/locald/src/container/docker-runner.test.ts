import { expect, test, vi } from 'vitest'
import type { FoundContainer } from './container-order.ts'
import { FakeEngine, send } from './testing/fake-engine.ts'
import { runnerFor, silent } from './testing/runner-for.ts'

const log = { stream: 'shop/web.1', run: 1, segmentBytes: 1, segments: 1 }

test('found() tells what runs, also when one of it is gone before it was looked at', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  engine.run('web')
  engine.run('gone')
  engine.on(/^GET \/containers\/gone\/json/u, (_match, response) => send(response, 404, { message: 'no such' }))
  expect((await runner.found([engine.address])).map(({ run }) => run)).toEqual(['web'])
})

test('sweep() removes what no run owns', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor({ knownRuns: () => new Set(['web']) })
  engine.run('web')
  engine.run('stray')
  expect(await runner.found([engine.address])).toHaveLength(2)
  runner.sweep([engine.address], async () => undefined)
  await vi.waitFor(() => expect([...engine.containers.keys()]).toEqual(['web']))
})

test('sweep() removes nothing at an engine that was slow before it has told what runs there, and that was adopted', async () => {
  await using engine = await FakeEngine.start()
  const known = new Set<string>()
  using runner = runnerFor({ knownRuns: () => known })
  engine.run('web')
  engine.run('stray')
  let answer: () => void = () => undefined
  engine.on(/^GET \/containers\/json\?all=false/u, (_match, response) => {
    const listed = [...engine.containers.keys()].map((Id) => ({ Id, Labels: { 'locald.run': Id }, Names: [Id] }))
    answer = () => send(response, 200, listed)
  })
  expect(await runner.found([engine.address])).toEqual([])
  const late: FoundContainer[] = []
  runner.sweep([engine.address], async (found) => {
    late.push(...found)
    known.add('web')
  })
  // It is used meanwhile.
  runner.adopt({
    run: 'other',
    container: { engine: engine.address, id: 'other', name: 'other', pid: null },
    log,
    isUp: true,
  })
  await vi.waitFor(() => expect(engine.count(/^GET \/events/u)).toBe(1))
  expect(engine.count(/^DELETE/u)).toBe(0)
  answer()
  await vi.waitFor(() => expect([...engine.containers.keys()]).toEqual(['web']))
  expect(late.map(({ run }) => run).sort()).toEqual(['stray', 'web'])
})

test('sweep() removes nothing at an engine that refused to tell', async () => {
  await using engine = await FakeEngine.start()
  const warnings: string[] = []
  using runner = runnerFor({ logger: { log: (_level, message) => void warnings.push(message) } })
  engine.run('web')
  engine.on(/^GET \/containers\/json\?all=false/u, (_match, response) => send(response, 500, { message: 'busy' }))
  expect(await runner.found([engine.address])).toEqual([])
  const adopt = vi.fn()
  runner.sweep([engine.address], adopt)
  await vi.waitFor(() => expect(warnings).toContain('Cannot look for containers that are left'))
  expect(adopt).not.toHaveBeenCalled()
  expect([...engine.containers.keys()]).toEqual(['web'])
})

test('end() stops the watchdog, and kills no earlier than a container that asks for time wants it', async () => {
  await using engine = await FakeEngine.start()
  const ending = vi.fn()
  using runner = runnerFor({ notify: { ...silent, ending } })
  engine.run('web')
  runner.adopt({
    run: 'web',
    container: { engine: engine.address, id: 'web', name: 'web', pid: null },
    log,
    isUp: true,
  })
  await vi.waitFor(() => expect(engine.count(/^GET \/containers\/web\/logs/u)).toBe(1))
  const since = performance.now()
  expect(runner.end({ run: 'web', signal: 'SIGINT', timeoutMs: 50 })).toBe(true)
  expect(ending).toHaveBeenCalledWith('web')
  runner.extendEnd('web', 400)
  await vi.waitFor(() => expect(engine.count(/^POST \/containers\/web\/kill\?signal=SIGKILL/u)).toBe(1))
  expect(performance.now() - since).toBeGreaterThan(390)
  expect(engine.count(/^POST \/containers\/web\/kill\?signal=SIGINT/u)).toBe(1)
})

test('end() with no time at all kills whatever was asked for', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  engine.run('web')
  runner.adopt({
    run: 'web',
    container: { engine: engine.address, id: 'web', name: 'web', pid: null },
    log,
    isUp: true,
  })
  await vi.waitFor(() => expect(engine.count(/^GET \/containers\/web\/logs/u)).toBe(1))
  runner.end({ run: 'web', signal: 'SIGINT', timeoutMs: 60_000 })
  runner.extendEnd('web', 120_000)
  runner.end({ run: 'web', signal: 'SIGINT', timeoutMs: 0 })
  await vi.waitFor(() => expect(engine.count(/^POST \/containers\/web\/kill\?signal=SIGKILL/u)).toBe(1))
})
