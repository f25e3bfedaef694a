// What is typed into a run, and who waits for it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { KeeperRig } from './keeper-rig.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Asks until it is so: a program is not in its system call the moment its prompt can be read. */
async function readersOf(rig: KeeperRig, run: string): Promise<readonly number[]> {
  const ask = (): readonly number[] => rig.keeper.handle('readers', { run }).pids
  await expect.poll(ask, { interval: 20, timeout: 10_000 }).not.toEqual([])
  return ask()
}

describe('write', () => {
  test('what an origin sends twice is typed once', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('stty -echo; while read line; do echo "got $line"; done')
    const type = (text: string, seq: number, client = 'me'): boolean =>
      rig.keeper.handle('write', { run, data: base64(text), from: { client, seq } }).written
    expect(type('one\n', 1)).toBe(true)
    expect(type('one\n', 1)).toBe(true)
    expect(type('two\n', 2)).toBe(true)
    expect(type('one\n', 1)).toBe(true)
    expect(type('other\n', 1, 'somebody else')).toBe(true)
    expect(type('end\n', 3)).toBe(true)
    const output = await rig.written(run, 'got end')
    expect(output.match(/got \w+/g)).toEqual(['got one', 'got two', 'got other', 'got end'])
  })
})

describe('readers', () => {
  test.each([
    ['a read', 'printf "name? "; read name; echo "hello $name"', 'name? '],
    ['a select', "PS1='select? ' exec bash --norc -i", 'select? '],
    [
      'a poll',
      `exec python3 -c "import select,sys; print('poll? ', end='', flush=True); p=select.poll(); p.register(0, select.POLLIN); p.poll()"`,
      'poll? ',
    ],
    ['an epoll', `exec ${process.execPath} -e "process.stdout.write('epoll? '); process.stdin.resume()"`, 'epoll? '],
  ])('tells who waits for input in %s', async (_, command, prompt) => {
    await using rig = new KeeperRig()
    const { run, pid } = rig.start(command)
    await rig.written(run, prompt)
    expect(await readersOf(rig, run)).toEqual([pid])
  })

  test('tells of a child that waits', async () => {
    await using rig = new KeeperRig()
    const { run, pid } = rig.start(`python3 -i; echo over`)
    await rig.written(run, '>>> ')
    const [reader] = await readersOf(rig, run)
    expect(reader).not.toBe(pid)
  })

  test('tells of nobody while a program works, reads something else or only has the terminal open', async () => {
    await using rig = new KeeperRig()
    mkdirSync(join(rig.directory, 'd'))
    writeFileSync(
      join(rig.directory, 'd', 'server.mjs'),
      `import { createServer } from 'node:net'; createServer().listen(0, () => process.stdout.write('listening... '))`,
    )
    const runs = [
      rig.start('printf "working... "; exec sleep 1000'),
      rig.start('mkfifo f; printf "reading... "; exec cat <>f'),
      rig.start([process.execPath, 'd/server.mjs']),
      rig.start('printf "piped... "; exec cat', { tty: null }),
    ]
    await Promise.all(runs.map(({ run }) => rig.written(run, '... ')))
    // A reader in the same state as them, seen now, shows that they had the time to be one.
    const { run } = rig.start('printf "name? "; read name')
    await readersOf(rig, run)
    expect(runs.map((each) => rig.keeper.handle('readers', { run: each.run }).pids)).toEqual([[], [], [], []])
  })

  test('tells of nobody who waits for a terminal of its own', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start(`exec python3 -c "
import os, pty, time
pid, fd = pty.fork()
if pid == 0: os.execvp('cat', ['cat'])
print('nested... ', end='', flush=True)
time.sleep(1000)"`)
    await rig.written(run, 'nested... ')
    const other = rig.start('printf "name? "; read name')
    await readersOf(rig, other.run)
    expect(rig.keeper.handle('readers', { run }).pids).toEqual([])
  })
})
