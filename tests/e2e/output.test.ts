// What services print: all of it is there, whatever it is.
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'

/** Tasks, so that `up` returns when they are done; each prints by a program of its own, without a shell's help. */
function printing(script: string, tty: boolean): Record<string, string> {
  return {
    'print.mjs': script,
    'locald.toml': `[services.print]\ntype = "task"\ncommand = ["${process.execPath}", "print.mjs"]\ntty = ${tty}\n`,
  }
}

test.each([true, false])('text without a newline is there (tty: %s)', async (tty) => {
  await using harness = createHarness()
  const project = harness.project(printing(`process.stdout.write('no end of line')`, tty))
  await project.up()
  expect(await project.lines('print')).toEqual(['no end of line'])
})

test.each([true, false])('a progress line of carriage returns is there while it runs (tty: %s)', async (tty) => {
  await using harness = createHarness()
  const project = harness.project({
    'print.mjs': `let n = 0; setInterval(() => process.stdout.write('\\r' + n++ + ' %'), 20)`,
    'locald.toml': `[services.print]\ntype = "worker"\ncommand = ["${process.execPath}", "print.mjs"]\ntty = ${tty}\n`,
  })
  await project.up()
  const shown = (await project.lines('print')).join('\n')
  expect(shown).toMatch(/\d+ %/u)
})

test.each([true, false])('bytes that are not UTF-8 neither break a line nor the next one (tty: %s)', async (tty) => {
  await using harness = createHarness()
  const script = `process.stdout.write(Buffer.from([0x61, 0xff, 0xfe, 0xc3, 0x0a])); process.stdout.write('größer\\n')`
  const project = harness.project(printing(script, tty))
  await project.up()
  const [broken = '', next] = await project.lines('print')
  expect(broken).toMatch(/^a\u{FFFD}+$/u)
  expect(next).toBe('größer')
})

test.each([true, false])('a burst right before the exit is there to its last line (tty: %s)', async (tty) => {
  await using harness = createHarness()
  // writeSync on a terminal or a pipe that is full may answer EAGAIN; the stream waits, and the exit comes right after.
  const script = `for (let n = 1; n <= 20000; n++) process.stdout.write('line ' + n + '\\n')`
  const project = harness.project(printing(script, tty))
  await project.up()
  const lines = await project.lines('print')
  expect(lines).toHaveLength(20_000)
  expect(lines.at(0)).toBe('line 1')
  expect(lines.at(-1)).toBe('line 20000')
})

test('100 MB in a burst: the last line is there, and the daemon answers meanwhile', { timeout: 120_000 }, async () => {
  await using harness = createHarness()
  const project = harness.project({
    // 1,000,000 lines of 100 bytes.
    'locald.toml': `[services.print]
type = "task"
tty = false
command = "head -c 99000000 /dev/zero | tr '\\\\0' x | fold -w 99; echo; echo the end"
start_timeout = "100s"
`,
  })
  const up = project.start('up', '--timeout', '100s')
  await project.waitFor('print', (service) => service.run === 1)
  const asked = performance.now()
  expect((await project.status()).services).toHaveLength(1)
  expect(performance.now() - asked).toBeLessThan(5000)
  expect((await up.ended).code).toBe(0)
  const last = await project.lines('print', '-n', '5')
  expect(last.at(-1)).toBe('the end')
  expect(last).toContain('x'.repeat(99))
})

test('stdout and stderr are told apart without a terminal', async () => {
  await using harness = createHarness()
  const project = harness.project(printing(`console.log('out'); console.error('err')`, false))
  await project.up()
  const result = await project.locald('logs', 'print', '--json')
  const lines = result.jsonLines<{ stream: string; text: string; service: string; run: number; at: string }>()
  expect(lines).toContainEqual(expect.objectContaining({ stream: 'stdout', text: 'out', service: 'print', run: 1 }))
  expect(lines).toContainEqual(expect.objectContaining({ stream: 'stderr', text: 'err', service: 'print', run: 1 }))
})
