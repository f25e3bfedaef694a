import { expect, test, vi } from 'vitest'
import type { ContainerProbe, ProbeResult } from './container-probe.ts'
import { FakeEngine, send } from './testing/fake-engine.ts'
import { runnerFor } from './testing/runner-for.ts'
import type { DockerRunner } from './docker-runner.ts'

const second = 1e9
const healthcheck = { Test: ['CMD', 'check'], Interval: 5 * second, Timeout: 0.1 * second, Retries: 3 }
const never = new AbortController().signal
const log = { stream: 'shop/web.1', run: 1, segmentBytes: 1, segments: 1 }

/** A container with a HEALTHCHECK that the engine thinks so of. */
function boxed(engine: FakeEngine, status: string): void {
  engine.run('box', {
    Config: { Healthcheck: healthcheck, Labels: { 'locald.run': 'box' } },
    State: { Running: true, Health: { Status: status, FailingStreak: 3, Log: [{ ExitCode: 1, Output: 'broken' }] } },
  })
}

async function probeOf(engine: FakeEngine, runner: DockerRunner, wasHealthy = false): Promise<ContainerProbe> {
  const container = { engine: engine.address, id: 'box', name: 'box', pid: null }
  runner.adopt({ run: 'box', container, log, isUp: true })
  return await runner.probe({ run: 'box', startedAt: Date.now(), ports: [], wasHealthy })
}

async function check(probe: ContainerProbe): Promise<ProbeResult> {
  return await probe.check(never)
}

test('the test is executed until it succeeds, and from then on the engine is asked', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'starting')
  const probe = await probeOf(engine, runner)
  engine.nextExit = 1
  expect(await check(probe)).toMatchObject({ ok: false, message: 'The HEALTHCHECK exited with code 1' })
  engine.nextExit = 0
  expect(await check(probe)).toEqual({ ok: true, message: 'The HEALTHCHECK succeeded' })
  boxed(engine, 'unhealthy')
  expect(await check(probe)).toMatchObject({ ok: false, output: 'broken' })
  expect(engine.execs).toHaveLength(2)
})

test('an engine that goes on to call it unhealthy is heard, though it tells no change', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'unhealthy')
  const probe = await probeOf(engine, runner)
  expect(await check(probe), 'it succeeds now, and is to be looked at again').toEqual({
    ok: true,
    message: 'The HEALTHCHECK succeeded',
    retryInMs: 5000,
  })
  expect(await check(probe)).toMatchObject({ ok: true, retryInMs: 5000 })
  engine.nextExit = 1
  expect(await check(probe)).toMatchObject({ ok: false, message: expect.stringContaining('3 times in a row') })
  boxed(engine, 'healthy')
  expect(await check(probe), 'and is asked alone again').toEqual({ ok: true, message: 'The HEALTHCHECK succeeded' })
  expect(engine.execs).toHaveLength(3)
})

test('a test that hangs is not executed beside itself', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'starting')
  const probe = await probeOf(engine, runner)
  engine.nextExit = null
  expect(await check(probe)).toMatchObject({ ok: false, message: 'The HEALTHCHECK took longer than 100 ms' })
  expect(await check(probe)).toMatchObject({ ok: false, message: expect.stringContaining('still runs') })
  expect(await check(probe)).toMatchObject({ ok: false, message: expect.stringContaining('still runs') })
  expect(engine.execs).toHaveLength(1)
  for (const each of engine.execs) each.exitCode = 137
  engine.nextExit = 0
  expect(await check(probe)).toMatchObject({ ok: true })
  expect(engine.execs).toHaveLength(2)
})

test('a test that hangs leaves the word to the engine, whose own may succeed', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'starting')
  const probe = await probeOf(engine, runner)
  engine.nextExit = null
  await check(probe)
  boxed(engine, 'healthy')
  expect(await check(probe)).toEqual({ ok: true, message: 'The HEALTHCHECK succeeded' })
})

test('an engine that fails to answer once does not make it unhealthy', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'healthy')
  const probe = await probeOf(engine, runner, true)
  let refusals = 0
  engine.on(/^GET \/containers\/box\/json/u, (_match, response) => {
    refusals++
    if (refusals === 1) send(response, 500, { message: 'busy' })
    else send(response, 200, { Id: 'box', State: { Health: { Status: 'healthy' } } })
  })
  expect(await check(probe)).toMatchObject({ ok: true })
  expect(refusals).toBe(2)
})

test('a change that was told while nobody heard it is looked for', async () => {
  await using engine = await FakeEngine.start()
  using runner = runnerFor()
  boxed(engine, 'healthy')
  const probe = await probeOf(engine, runner, true)
  const changed = vi.fn()
  using _watching = probe.watch(changed)
  await vi.waitFor(() => expect(engine.count(/^GET \/containers\/box\/logs/u)).toBe(1))
  changed.mockClear()
  engine.hangUp()
  boxed(engine, 'unhealthy')
  await vi.waitFor(() => expect(changed).toHaveBeenCalled())
  expect(await check(probe)).toMatchObject({ ok: true, retryInMs: 5000 })
})
