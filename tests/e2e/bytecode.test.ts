// What is kept of the command line from one command to the next: docs/decisions/0034.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Harness } from '../support/harness.ts'

const hasItsOwn = 'enableCompileCache' in nodeModule
/** Of what a later Node does by itself there is nothing to test. */
const testOwn: (name: string, run: () => Promise<void>) => void = hasItsOwn ? () => {} : test
const project = { 'locald.toml': '[services.one]\ntype = "worker"\ncommand = "sleep 1000"\n' }

function keptIn(harness: Harness): { readonly file: string; readonly content: Buffer } {
  const directory = join(harness.home, 'cache')
  expect(readdirSync(directory)).toEqual(['cli.bytecode'])
  const file = join(directory, 'cli.bytecode')
  expect((statSync(directory).mode & 0o777).toString(8)).toBe('700')
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
  return { file, content: readFileSync(file) }
}

test('what a command compiles is kept, where nobody else can write', async () => {
  await using harness = createHarness()
  await harness.project(project).up()
  const directory = join(harness.home, 'cache')
  expect(readdirSync(directory)).not.toEqual([])
  expect((statSync(directory).mode & 0o022).toString(8)).toBe('0')
})

testOwn('the bytecode grows with the first commands, and is left alone afterwards', async () => {
  await using harness = createHarness()
  const own = harness.project(project)
  await own.up()
  const sizes = []
  for (const command of ['status', 'ports', 'status', 'check', 'status', 'status', 'status', 'status']) {
    expect((await own.locald(command)).code).toBe(0)
    sizes.push(keptIn(harness).content.length)
  }
  expect(sizes[1]).toBeGreaterThan(sizes[0] ?? 0)
  const { file, content } = keptIn(harness)
  const { mtimeMs } = statSync(file)
  expect((await own.locald('logs', '-n', '1')).code).toBe(0)
  expect(keptIn(harness).content.equals(content)).toBe(true)
  expect(statSync(file).mtimeMs).toBe(mtimeMs)
})

testOwn('errors, which are another part of the program, are what they are without it', async () => {
  await using harness = createHarness()
  const own = harness.project(project)
  await own.up()
  const answers = []
  for (let time = 0; time < 2; time += 1) answers.push(await own.locald('logs', 'nobody'))
  keptIn(harness)
  for (const { code, stdout, stderr } of answers) {
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/^error: .*"nobody"/u)
    expect(stderr).not.toContain('unexpectedly')
  }
})

testOwn('what is empty, cut short, or of another build is not run, and is made anew', async () => {
  await using harness = createHarness()
  const own = harness.project(project)
  await own.up()
  const { file, content } = keptIn(harness)
  const mark = content.indexOf('/*') + 2
  const others: readonly Buffer[] = [
    Buffer.alloc(0),
    content.subarray(0, 100),
    content.subarray(0, content.length - 1000),
    Buffer.concat([content.subarray(0, mark), Buffer.from('x'), content.subarray(mark + 1)]),
    Buffer.from('nonsense'),
  ]
  for (const other of others) {
    writeFileSync(file, other)
    const { code, stdout, stderr } = await own.locald('status')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^one +running/mu)
    expect(
      keptIn(harness)
        .content.subarray(0, mark + 10)
        .equals(content.subarray(0, mark + 10)),
    ).toBe(true)
  }
})
