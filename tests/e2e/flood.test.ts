// Services that write as fast as they can: slowed as by a slow terminal, at nobody else's expense.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness, Project } from '../support/harness.ts'

const floods = `
[services.pty]
type = "worker"
command = "exec yes 'a line of a flood that never ends, on a terminal'"

[services.pipe]
type = "worker"
command = "exec yes 'a line of a flood that never ends, through a pipe'"
tty = false

[services.calm]
type = "worker"
command = ["${process.execPath}", "calm.mjs"]
`

/** Says the time ten times a second. */
const calm = `
setInterval(() => {
  console.log(String(Date.now()))
}, 100)
`

function megabytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

function bytesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

async function flooding(harness: Harness, logs = ''): Promise<Project> {
  const project = harness.project({ 'calm.mjs': calm, 'locald.toml': `${logs}${floods}` })
  await project.up()
  return project
}

test(
  'two floods: others are heard within a second, status answers, memory and disk stay bounded',
  { timeout: 90_000 },
  async () => {
    await using harness = createHarness()
    const project = await flooding(harness, '[logs]\nsegment_size = "4MB"\nsegments = 3\n')
    const { keeper, daemon } = await harness.serverStatus()
    const following = project.start('logs', 'calm', '-f', '-n', '0', '--no-prefix')
    await following.waitForOutput(/^\d{13}$/mu)
    const delays: number[] = []
    const answers: number[] = []
    let most = 0
    for (let turn = 0; turn < 20; turn++) {
      const seen = following.output().length
      const started = performance.now()
      expect((await project.locald('status', '--json')).code).toBe(0)
      answers.push(performance.now() - started)
      await following.waitForOutput(new RegExp(`^[^]{${seen}}[^]*\\d{13}\\n`, 'u'))
      const last = Number(following.output().trimEnd().split('\n').at(-1))
      delays.push(Date.now() - last)
      most = Math.max(most, megabytes(keeper?.pid ?? 0))
    }
    following.signal('SIGINT')
    await following.ended
    expect(Math.max(...delays)).toBeLessThan(1000)
    expect(Math.max(...answers)).toBeLessThan(3000)
    expect(most).toBeLessThan(110)
    expect(megabytes(daemon?.pid ?? 0)).toBeLessThan(200)
    // Three segments of each flood, and a fourth for the moment before the oldest goes.
    expect(bytesBelow(join(harness.home, 'state/logs'))).toBeLessThan(2 * 4 * 4_200_000)
    const stopped = await project.locald('stop')
    expect(stopped.code).toBe(0)
  },
)

test('a reader that reads nothing holds up neither the service nor the daemon', { timeout: 60_000 }, async () => {
  await using harness = createHarness()
  const project = await flooding(harness)
  const { daemon } = await harness.serverStatus()
  const idle = createConnection(join(harness.home, 'run/api.sock'))
  try {
    idle.pause()
    idle.write(`GET /v1/logs?dir=${encodeURIComponent(project.directory)}&follow=1 HTTP/1.1\r\nhost: locald\r\n\r\n`)
    const sizes: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      const from = await writtenBy(harness, project)
      await sleep(500) // for the flood to go on
      sizes.push((await writtenBy(harness, project)) - from)
    }
    // A few hundred kilobytes fill every buffer on the way to a reader.
    expect(Math.min(...sizes)).toBeGreaterThan(500_000)
    expect(megabytes(daemon?.pid ?? 0)).toBeLessThan(200)
    expect((await project.lines('calm', '-n', '1')).length).toBe(1)
  } finally {
    idle.destroy()
  }
})

test(
  'what a service wrote before it was slowed, and while it was, is all there and in order',
  { timeout: 90_000 },
  async () => {
    await using harness = createHarness()
    const project = harness.project({
      'locald.toml': `[logs]\nsegment_size = "1MB"\nsegments = 500\n${['a', 'b', 'c']
        .map((name) => `[services.${name}]\ntype = "task"\ncommand = "exec seq 1 400000"\n`)
        .join('')}`,
    })
    await project.up()
    for (const name of ['a', 'b', 'c']) {
      const lines = await project.lines(name)
      expect(lines.length).toBe(400_000)
      expect(lines.findIndex((line, index) => line !== String(index + 1))).toBe(-1)
    }
  },
)

test('all logs together stay below their limit, whoever wrote them', { timeout: 60_000 }, async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[logs]\ntotal = "3MB"\n${['a', 'b', 'c']
      .map((name) => `[services.${name}]\ntype = "task"\ncommand = "exec seq 1 400000"\n`)
      .join('')}`,
  })
  await project.up()
  await project.locald('stop')
  const logs = join(harness.home, 'state/logs')
  const deadline = Date.now() + 10_000
  while (bytesBelow(logs) > 3_000_000 && Date.now() < deadline) await sleep(20) // nothing tells of a removal
  expect(bytesBelow(logs)).toBeLessThanOrEqual(3_000_000)
  expect(bytesBelow(logs)).toBeGreaterThan(1_000_000)
  // What was written last is there, to its end.
  const ends = await Promise.all(['a', 'b', 'c'].map((name) => project.lines(name, '-n', '2')))
  expect(ends.some((lines) => lines.at(-1) === '400000')).toBe(true)
})

/** Position in the stream of `pty`, by the name of the segment that is being written and its size. */
async function writtenBy(harness: Harness, project: Project): Promise<number> {
  const { id } = await project.status()
  const folder = join(harness.home, 'state/logs', id, 'pty.1')
  const last = readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .toSorted()
    .at(-1)
  return last === undefined ? 0 : Number.parseInt(last, 10) + statSync(join(folder, last)).size
}
