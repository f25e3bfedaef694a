import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { startLightProcess } from './light-process.ts'
import type { LightOrder } from './light-process.ts'

const path = process.env['PATH'] ?? '/usr/bin:/bin'

function start(argv: readonly string[], changes: Partial<LightOrder> = {}): ReturnType<typeof startLightProcess> {
  return startLightProcess({ argv, env: { PATH: path }, cwd: tmpdir(), ...changes })
}

const shell = (script: string, changes: Partial<LightOrder> = {}): ReturnType<typeof startLightProcess> =>
  start(['/bin/sh', '-c', script], changes)

test('startLightProcess() gives directory, environment and arguments, and reads both streams', async () => {
  const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'light-')))
  using child = start(['sh', '-c', 'pwd; echo "$GREETING $1" >&2', 'name', 'ü'], {
    cwd,
    env: { PATH: path, GREETING: 'hello' },
  })
  expect(await text(child.output)).toBe(`${cwd}\nhello ü\n`)
  expect(await child.exit).toEqual({ code: 0, signal: null })
  await child.gone
  rmSync(cwd, { recursive: true })
})

test('startLightProcess() adds variables for one start alone', async () => {
  const env = { PATH: path, GREETING: 'hello' }
  const say = async (changes: Partial<LightOrder>): Promise<string> => {
    using child = shell('echo "$GREETING $NAME"', { env, ...changes })
    return (await text(child.output)).trim()
  }
  expect(await say({ added: { NAME: 'you' } })).toBe('hello you')
  expect(await say({ added: { NAME: 'me' } })).toBe('hello me')
  expect(await say({})).toBe('hello')
  expect(await say({ env: { PATH: path } })).toBe('')
})

test('startLightProcess() tells the exit code, and the signal', async () => {
  using failing = shell('exit 7')
  expect(await failing.exit).toEqual({ code: 7, signal: null })
  using killed = shell('kill -TERM $$')
  expect(await killed.exit).toEqual({ code: null, signal: 'SIGTERM' })
})

test('startLightProcess() starts the leader of a session, without input, and with the default signals', async () => {
  using child = shell('cat; ps -o sid= -p $$; yes | head -n 1; grep -E "^Sig(Ign|Blk)" /proc/self/status')
  const lines = (await text(child.output)).trim().split('\n')
  expect(Number(lines[0])).toBe(child.pid)
  expect(lines[1]).toBe('y')
  if (process.platform !== 'linux') return
  const [blocked, ignored] = lines.slice(2).map((line) => BigInt(`0x${line.split('\t')[1]}`))
  // 32 and 33 are the C library's own.
  expect([blocked, (ignored ?? 0n) & ~(0b11n << 31n)]).toEqual([0n, 0n])
})

test('startLightProcess() throws when there is no such program, directory or right', () => {
  expect(() => start(['no-such-program'])).toThrow('"no-such-program" is not on the PATH')
  expect(() => start(['./no-such-program'])).toThrow('ENOENT')
  expect(() => start(['true'], { cwd: '/no/such/directory' })).toThrow('ENOENT')
  expect(() => start(['/etc/passwd'])).toThrow('EACCES')
})

test('startLightProcess() gives a script without a first line to the shell', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'light-'))
  writeFileSync(join(cwd, 'script'), 'echo "run with $1"\n', { mode: 0o755 })
  using child = start(['./script', 'x'], { cwd })
  expect(await text(child.output)).toBe('run with x\n')
  rmSync(cwd, { recursive: true })
})

test('startLightProcess() tells apart that it has exited and that nothing of it is left', async () => {
  using child = shell('exec >/dev/null 2>&1; (sleep 0.3) & exit 0')
  const order: string[] = []
  await Promise.all([child.exit.then(() => order.push('exit')), child.gone.then(() => order.push('gone'))])
  expect(order).toEqual(['exit', 'gone'])
})

test('startLightProcess() leaves no descriptor and no zombie', async () => {
  const open = (): number => readdirSync('/proc/self/fd').filter((fd) => isPipe(fd)).length
  const before = open()
  for (let n = 0; n < 20; n++) {
    using child = shell('true')
    await Promise.all([child.exit, child.gone])
    expect(() => process.kill(child.pid, 0)).toThrow('ESRCH')
  }
  expect(() => start(['/etc/passwd'])).toThrow('EACCES')
  expect(open()).toBe(before)
})

function isPipe(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:')
  } catch {
    return false // the one that reading the directory took
  }
}
