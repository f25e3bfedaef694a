// A real full disk under everything that locald writes.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { daemonPid, isRunning, keeperPid } from '../chaos/processes.ts'
import { createHarness } from '../support/harness.ts'
import type { Project } from '../support/harness.ts'
import { mountSmallDisk, whyNoSmallDisk } from '../support/small-disk.ts'

interface Line {
  readonly stream: string
  readonly text: string
}

// A CI run that silently leaves this out would be green for nothing.
const isSkipped = whyNoSmallDisk !== null && process.env['CI'] !== 'true'

/** Says `n` a hundred times a second, each with enough beside it to fill a disk in a while. */
const counter = `
import { existsSync } from 'node:fs'
let n = 0
setInterval(() => {
  const times = existsSync('flood') ? 200 : 1
  for (let i = 0; i < times; i++) console.log(++n + ' ' + 'x'.repeat(400))
}, 10)
`

test.skipIf(isSkipped)(
  'on a full disk services run on, readers see the newest, one warning is shown, and recording resumes with an account of the gap',
  { timeout: 90_000 },
  async () => {
    await using harness = createHarness()
    await using disk = mountSmallDisk(harness, 24_000_000)
    const project = harness.project({
      'counter.mjs': counter,
      'locald.toml': `[services.counter]\ntype = "worker"\ncommand = ["${process.execPath}", "counter.mjs"]
[services.other]\ntype = "worker"\ncommand = "while sleep 0.1; do echo still here; done"\n`,
    })
    await project.up()
    const { pid } = await project.service('counter')
    const before = Number((await numbers(project)).at(-1))

    disk.fill()
    const warned = await until(async () => {
      const { warnings } = await project.status()
      return warnings.length > 0 ? warnings : null
    })
    expect(warned).toEqual([expect.stringMatching(/^Output is not recorded at present: the disk is full\./u)])
    const { stderr } = await project.up()
    expect(stderr.match(/warning:/gu)).toHaveLength(1)

    // Nothing of it is on the disk, and readers have all of it, in order, while it goes on.
    const meanwhile = await until(async () => {
      const seen = await numbers(project)
      return Number(seen.at(-1)) > before + 300 ? seen : null
    })
    expect(meanwhile).toEqual(meanwhile.map((_, index) => index + 1))
    const following = project.start('logs', '-f', '-n', '0', 'counter', '--no-prefix')
    const [, next = ''] = await following.waitForOutput(/^(\d+) x/mu)
    expect(Number(next)).toBeGreaterThan(before)

    // More than the ring holds, which is bounded.
    project.write('flood', '')
    const newest = await until(async () => {
      const lines = await linesOf(project, 'counter')
      const gap = lines.find(({ stream, text }) => stream === 'locald' && text.includes('bytes of output in'))
      return gap === undefined ? null : lines
    })
    expect(newest.length).toBeGreaterThan(5000)
    const other = await project.locald('logs', 'other', '-n', '1', '--no-prefix')
    expect(other.stdout).toBe('still here\n')
    expect((await project.service('counter')).pid).toBe(pid)

    // The flood would fill the freed disk as well, within seconds, and make a second gap.
    rmSync(join(project.directory, 'flood'))
    disk.free()
    await until(async () => ((await project.status()).warnings.length === 0 ? true : null))
    const after = await until(async () => {
      const lines = await linesOf(project, 'counter')
      return lines.length > newest.length ? lines : null
    })
    following.signal('SIGINT')
    await following.ended
    const gaps = after.filter(({ stream, text }) => stream === 'locald' && text.includes('missing'))
    expect(gaps.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^\d+ bytes of output in \d+ chunks are missing here: the disk was full$/u),
    ])
    const place = after.findIndex(({ text }) => text.includes('missing'))
    const first = numbersIn(after.slice(0, place))
    // The line at either edge of the gap may be cut.
    const second = numbersIn(after.slice(place + 2))
    expect(first).toEqual(first.map((_, index) => index + 1))
    expect(second).toEqual(second.map((_, index) => (second[0] ?? 0) + index))
    expect(second[0]).toBeGreaterThan((first.at(-1) ?? 0) + 100)
    expect((await project.service('counter')).pid).toBe(pid)
    const { daemon } = await harness.serverStatus()
    expect(daemon).not.toBe(null)
    const keeperLog = readFileSync(`${harness.home}/state/keeper.log`, 'utf8')
    expect(keeperLog.match(/"Cannot write a log stream","stream":"[^"]*counter/gu)).toHaveLength(1)
  },
)

test.skipIf(isSkipped)(
  'on a full disk services start and stop, and what happened is known once there is room',
  { timeout: 90_000 },
  async () => {
    await using harness = createHarness()
    await using disk = mountSmallDisk(harness, 16_000_000)
    const project = harness.project({
      'locald.toml': `[services.a]\ntype = "worker"\ncommand = "echo begin; exec sleep 1000"
[services.b]\ntype = "worker"\ncommand = "echo begin; exec sleep 1000"\n`,
    })
    await project.up('a')
    const { daemon } = await harness.serverStatus()
    disk.fill()
    // Its folder of logs cannot even be made.
    await project.up('b')
    expect(await project.lines('b')).toEqual(['begin'])
    const stopped = await project.locald('stop', 'a')
    expect(stopped.code).toBe(0)
    expect((await project.service('a')).state).toBe('stopped')
    const restarted = await project.locald('restart', 'b')
    expect(restarted.code).toBe(0)
    expect(await project.lines('b', '--run', '-1')).toEqual(['begin'])
    expect((await harness.serverStatus()).daemon).toEqual(daemon)

    disk.free()
    await until(async () => ((await project.status()).warnings.length === 0 ? true : null))
    expect(await project.lines('b')).toEqual(['begin', 'begin'])
    // What the daemon could not store then it stores by itself: its successor knows of it.
    const snapshot = join(harness.home, 'state/journal/snapshot.json')
    await until(async () => existsSync(snapshot) || null)
    const keeper = keeperPid(harness.home)
    const first = daemonPid(keeper)
    if (first !== null) process.kill(first, 'SIGKILL')
    await until(async () => ((await harness.serverStatus()).daemon?.pid ?? first) !== first || null)
    expect((await project.status()).services.map(({ name, state, run }) => [name, state, run])).toEqual([
      ['a', 'stopped', 1],
      ['b', 'running', 2],
    ])
  },
)

test.skipIf(isSkipped)(
  'on a full disk a lost keeper is replaced, and the next one knows what was started there once there was room',
  { timeout: 90_000 },
  async () => {
    await using harness = createHarness()
    await using disk = mountSmallDisk(harness, 16_000_000)
    // They outlive the hang-up of their terminal.
    const command = `trap '' HUP; echo begin; while sleep 0.1; do :; done`
    const project = harness.project({
      'locald.toml': ['a', 'b'].map((name) => `[services.${name}]\ntype = "worker"\ncommand = "${command}"\n`).join(''),
    })
    const pidOf = async (service: string): Promise<number> => (await project.service(service)).pid ?? 0
    const loseKeeper = async (services: readonly string[]): Promise<void> => {
      const before = await Promise.all(services.map(pidOf))
      process.kill(keeperPid(harness.home), 'SIGKILL')
      await until(async () => {
        const now = await Promise.all(services.map(pidOf))
        return now.every((pid) => pid > 0 && !before.includes(pid)) || null
      })
      expect(before.filter(isRunning)).toEqual([])
    }
    await project.up('a')
    disk.fill()
    await loseKeeper(['a'])

    await project.up('b')
    disk.free()
    const b = await pidOf('b')
    const runs = join(harness.home, 'state/runs.jsonl')
    await until(async () => readFileSync(runs, 'utf8').includes(`"pid":${b},`) || null)
    const snapshot = join(harness.home, 'state/journal/snapshot.json')
    await until(async () => (existsSync(snapshot) && readFileSync(snapshot, 'utf8').includes(`"pid":${b},`)) || null)
    await loseKeeper(['a', 'b'])
  },
)

async function linesOf(project: Project, service: string): Promise<readonly Line[]> {
  const result = await project.locald('logs', service, '--json')
  expect(result.code).toBe(0)
  return result.jsonLines<Line>()
}

function numbersIn(lines: readonly Line[]): number[] {
  return lines.flatMap(({ stream, text }) => (stream === 'locald' ? [] : [Number.parseInt(text, 10)]))
}

async function numbers(project: Project): Promise<readonly number[]> {
  return numbersIn(await linesOf(project, 'counter'))
}

/** Asks again until there is an answer: nothing tells from outside that a disk was found full. */
async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (Date.now() > deadline) throw new Error('It did not come to pass within 20 s')
  }
}
