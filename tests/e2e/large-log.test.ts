// A gigabyte of recorded output: what is asked of it is found without reading it all.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { CliResult } from '../support/cli.ts'

/** 11.2 million lines of 90 bytes. */
const count = 11_200_000
const format = 'request %010.0f GET /api/items status=200, a line as long as lines of a log mostly are'

const toml = `[logs]
segment_size = "10MB"
segments = 1000
total = "4GB"
[services.big]
type = "task"
tty = false
command = "exec seq -f '${format}' 1 ${count}"
start_timeout = "200s"
`

function megabytes(pid: number): { readonly read: number; readonly memory: number } {
  const number = (file: string, pattern: RegExp): number =>
    Number(pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1])
  return { read: number('io', /^rchar: (\d+)/mu) / 1e6, memory: number('status', /^VmHWM:\s+(\d+)/mu) / 1e3 }
}

function textOf(n: number): string {
  return format.replace('%010.0f', String(n).padStart(10, '0'))
}

test(
  'a gigabyte of logs: the end, a time and a text are found in it, in little memory',
  { timeout: 400_000 },
  async () => {
    await using harness = createHarness()
    const project = harness.project({ 'locald.toml': toml })
    const up = await harness.start(['up'], { cwd: project.directory, timeoutMs: 250_000 }).ended
    expect(up.code).toBe(0)
    const { daemon, keeper } = await harness.serverStatus()
    const asked = async (
      ...args: readonly string[]
    ): Promise<{ readonly result: CliResult; readonly read: number }> => {
      const before = megabytes(daemon?.pid ?? 0).read
      const result = await project.locald('logs', ...args)
      expect(result.code).toBe(0)
      return { result, read: megabytes(daemon?.pid ?? 0).read - before }
    }

    const end = await asked('-n', '1000', '--json')
    const lines = end.result.jsonLines<{ readonly at: string; readonly text: string; readonly stream: string }>()
    const written = lines.filter(({ stream }) => stream === 'stdout')
    expect(written.at(-1)?.text).toBe(textOf(count))
    expect(end.read).toBeLessThan(10)

    const since = written[0]?.at ?? ''
    const recent = await asked('--since', since, '--no-prefix')
    expect(recent.result.stdout).toContain(`\n${textOf(count - 10)}\n`)
    expect(recent.read).toBeLessThan(10)

    const found = await asked('--grep', 'request 0007654321 ', '--no-prefix')
    expect(found.result.stdout).toBe(`${textOf(7_654_321)}\n`)
    expect(found.read).toBeGreaterThan(1000)

    expect(megabytes(daemon?.pid ?? 0).memory).toBeLessThan(200)
    expect(megabytes(keeper?.pid ?? 0).memory).toBeLessThan(110)
  },
)
