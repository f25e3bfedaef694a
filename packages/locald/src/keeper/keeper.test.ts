import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlive, KeeperRig } from './keeper-rig.ts'

const both = [
  { name: 'a terminal', tty: { cols: 80, rows: 24 } },
  { name: 'pipes', tty: null },
] as const

/** Pid that a command wrote as `name=PID`. */
function pidIn(output: string, name: string): number {
  return Number(new RegExp(`${name}=(\\d+)\\s`).exec(output)?.[1])
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Pids of processes that work in this directory. */
function processesIn(directory: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === directory
    } catch {
      return false
    }
  })
}

describe.each(both)('a run on $name', ({ tty }) => {
  test('tells of its start, its exit code and its end', async () => {
    await using rig = new KeeperRig()
    const { run, pid } = rig.start('echo hello; exit 3', { tty })
    const exited = await rig.fact(run, 'exited')
    expect(exited).toMatchObject({ code: 3, signal: null, members: [] })
    expect(await rig.fact(run, 'emptied')).toMatchObject({ survivors: [] })
    expect(rig.typesOf(run)).toEqual(['spawned', 'exited', 'emptied'])
    expect(rig.output(run)).toMatch(/^hello\r?\n$/)
    const records = rig.frames(run).filter(({ kind }) => kind === 'record')
    expect(records.map(({ bytes }) => JSON.parse(bytes.toString()))).toMatchObject([
      { type: 'run.started', run, pid },
      { type: 'run.exited', run, code: 3 },
    ])
    expect(rig.errors).toEqual([])
  })

  test('tells the signal that ended it', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('kill -KILL $$', { tty })
    expect(await rig.fact(run, 'exited')).toMatchObject({ code: null, signal: 'SIGKILL' })
  })

  test('ends at its stop signal, and its last words are recorded', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('trap "echo bye; exit 4" INT; echo up; while :; do sleep 0.05; done', { tty })
    await rig.written(run, 'up')
    rig.end(run, 5000, 'SIGINT')
    expect(await rig.fact(run, 'exited')).toMatchObject({ code: 4 })
    expect(rig.output(run)).toContain('bye')
    await rig.fact(run, 'emptied')
    expect(rig.typesOf(run)).not.toContain('killed')
  })

  test('is killed when it ignores its stop signal', async () => {
    await using rig = new KeeperRig()
    const { run, pid } = rig.start('trap "" TERM; echo up; while :; do sleep 0.05; done', { tty })
    await rig.written(run, 'up')
    rig.end(run, 50)
    expect((await rig.fact(run, 'killed')).members.map((member) => member.pid)).toContain(pid)
    expect(await rig.fact(run, 'exited')).toMatchObject({ signal: 'SIGKILL' })
    await rig.fact(run, 'emptied')
    expect(isAlive(pid)).toBe(false)
    expect(rig.signals[0]).toEqual({ run, signal: 'SIGTERM', to: 'group', result: 'sent' })
    expect(rig.signals).toContainEqual({ run, signal: 'SIGKILL', to: pid, result: 'sent' })
  })

  test('is killed at once with a time-out of zero, also during a patient end', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('trap "" TERM; echo up; while :; do sleep 0.05; done', { tty })
    await rig.written(run, 'up')
    rig.end(run)
    rig.end(run, 0)
    expect(await rig.fact(run, 'exited')).toMatchObject({ signal: 'SIGKILL' })
    await rig.fact(run, 'emptied')
  })

  test('takes a child along that ignores HUP and outlives its leader', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start(`sh -c 'trap "" HUP; echo child=$$; while :; do sleep 0.05; done' & sleep 0.2; exit 0`, {
      tty,
    })
    const child = pidIn(await rig.written(run, /child=\d+\s/), 'child')
    const exited = await rig.fact(run, 'exited')
    expect(exited.members.map(({ pid }) => pid)).toContain(child)
    expect(exited.members.map(({ command }) => command).join()).toContain('trap')
    rig.end(run, 5000)
    await rig.fact(run, 'emptied')
    expect(isAlive(child)).toBe(false)
    expect(rig.typesOf(run)).toEqual(['spawned', 'exited', 'emptied'])
  })

  test('is emptied without an end when the children that outlived the leader end by themselves', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start(`trap "" HUP; sleep 0.3 & exit 0`, { tty })
    expect((await rig.fact(run, 'exited')).members.length).toBeGreaterThan(0)
    await rig.fact(run, 'emptied')
  })

  test('keeps hold of a child that left session, group and environment in a double fork', async () => {
    await using rig = new KeeperRig()
    const script = 'trap "" HUP; echo child=$$; while :; do sleep 0.05; done'
    const { run } = rig.start(
      `setsid env -i sh -c '(${script.replace('$$', '$PPID')}) & sh -c "echo gone=\\$PPID"' ; sleep 0.1`,
      { tty },
    )
    const exited = await rig.fact(run, 'exited')
    expect(exited.members.length).toBeGreaterThan(0)
    const pids = exited.members.map((member) => member.pid)
    rig.end(run, 5000)
    await rig.fact(run, 'emptied')
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]) // no zombies either
  })

  test('is killed to the last process when it forks away from whoever looks', async () => {
    await using rig = new KeeperRig()
    writeFileSync(join(rig.directory, 'flee'), 'trap "" TERM HUP; sleep 0.05; setsid -f env -i sh ./flee')
    const { run } = rig.start('exec setsid -f env -i sh ./flee', { tty })
    await rig.fact(run, 'exited')
    rig.end(run, 50)
    expect(await rig.fact(run, 'emptied')).toMatchObject({ survivors: [] })
    expect(processesIn(rig.directory)).toEqual([])
  })

  test('ends when it is stopped', async () => {
    await using rig = new KeeperRig()
    const { run, pid } = rig.start('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done', { tty })
    await rig.written(run, 'up')
    process.kill(-pid, 'SIGSTOP')
    rig.end(run, 20_000)
    expect(await rig.fact(run, 'exited')).toMatchObject({ code: 0 })
    expect(rig.output(run)).toContain('bye')
  })

  test('loses nothing of a burst before its exit, twenty times', async () => {
    await using rig = new KeeperRig()
    for (let i = 0; i < 20; i++) {
      const { run } = rig.start('seq 1 5000; echo the last line', { tty })
      await rig.fact(run, 'exited')
      const lines = rig.output(run).split(/\r?\n/)
      expect(lines).toHaveLength(5002)
      expect(lines.at(-2)).toBe('the last line')
    }
  })

  test('keeps bytes that are no text, lines without an end, and carriage returns', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start(`printf 'a\\377\\300\\200b\\rprogress 1\\rprogress 2'`, { tty })
    await rig.fact(run, 'exited')
    expect(rig.outputBytes(run)).toEqual(Buffer.from('a\xff\xc0\x80b\rprogress 1\rprogress 2', 'latin1'))
  })

  test('records what a child writes after the exit of the leader', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start(`trap "" HUP; (while [ ! -e go ]; do sleep 0.02; done; echo late; sleep 0.1) & exit 0`, {
      tty,
    })
    await rig.fact(run, 'exited')
    writeFileSync(join(rig.directory, 'go'), '')
    await rig.written(run, 'late')
    await rig.fact(run, 'emptied')
  })

  test('gets input', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('echo up; read line; echo "got <$line>"', { tty })
    await rig.written(run, 'up')
    expect(rig.keeper.handle('write', { run, data: Buffer.from('hello\n').toString('base64') })).toEqual({
      written: true,
    })
    await rig.written(run, 'got <hello>')
    await rig.fact(run, 'emptied')
    expect(rig.keeper.handle('write', { run, data: '' })).toEqual({ written: false })
  })

  test('that does not read its input holds nothing up', async () => {
    await using rig = new KeeperRig()
    const { run } = rig.start('stty raw 2>/dev/null; echo up; sleep 60', { tty })
    await rig.written(run, 'up')
    const data = Buffer.alloc(512 * 1024).toString('base64')
    const before = performance.now()
    expect(rig.keeper.handle('write', { run, data }).written).toBe(true)
    expect(rig.keeper.handle('write', { run, data }).written).toBe(true)
    expect(rig.keeper.handle('write', { run, data }).written).toBe(false)
    expect(performance.now() - before).toBeLessThan(1000)
  })

  test('starts with signals, marks and descriptors as they should be', async () => {
    await using rig = new KeeperRig()
    // What this process was given itself by who started it; a real keeper has closed that.
    const given = readdirSync('/proc/self/fd').filter((fd) => {
      const flags = /flags:\s+(\d+)/.exec(readIfThere(`/proc/self/fdinfo/${fd}`))?.[1]
      return Number(fd) > 2 && flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0
    })
    const other = rig.start('sleep 600', { tty: null })
    const { run, pid } = rig.start('grep -E "SigIgn|SigBlk" /proc/self/status; echo mark=$LOCALD_RUN; read line', {
      tty,
    })
    const output = await rig.written(run, 'mark=')
    expect(output).toMatch(/SigBlk:\s0+\r?\n/)
    // Two signals of glibc's own (32, 33), which its posix_spawn leaves ignored and no program can use.
    expect(output).toMatch(/SigIgn:\s0+(?:180000000)?\r?\n/)
    expect(output).toContain(`mark=${run}.`)
    expect(readdirSync(`/proc/${pid}/fd`).filter((fd) => !given.includes(fd))).toEqual(['0', '1', '2'])
    const [session, group] = [pid, other.pid].map((leader) =>
      readFileSync(`/proc/${leader}/stat`, 'latin1').split(' ').slice(4, 6),
    )
    expect(session).toEqual([String(pid), String(pid)])
    expect(group).toEqual([String(other.pid), String(other.pid)])
  })
})

test('spawn() writes both pipes apart, and /dev/stdout can be opened', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start('echo out > /dev/stdout; echo err > /dev/stderr', { tty: null })
  await rig.fact(run, 'exited')
  expect(rig.output(run, 'stdout')).toBe('out\n')
  expect(rig.output(run, 'stderr')).toBe('err\n')
})

test('spawn() keeps stdin open without a terminal', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start(['cat'], { tty: null })
  rig.keeper.handle('write', { run, data: Buffer.from('echo\n').toString('base64') })
  await rig.written(run, 'echo')
  expect(rig.typesOf(run)).toEqual(['spawned'])
})

test('resize() changes the size that a program on a terminal sees', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start('trap "stty size; exit" WINCH; stty size; while :; do sleep 0.05; done')
  await rig.written(run, '24 80')
  expect(rig.keeper.handle('resize', { run, cols: 100, rows: 30 })).toEqual({ done: true })
  await rig.written(run, '30 100')
})

test('spawn() refuses what cannot start, and the id stays free', async () => {
  await using rig = new KeeperRig()
  writeFileSync(join(rig.directory, 'plain'), 'text')
  mkdirSync(join(rig.directory, 'folder'))
  writeFileSync(join(rig.directory, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 })
  const run = randomUUID()
  const refusal = (argv: readonly string[], options = {}): unknown =>
    rig.keeper.handle('spawn', rig.order(argv, { run, ...options }))
  expect(refusal(['no-such-command'])).toMatchObject({ ok: false, reason: 'command-not-found' })
  expect(refusal(['./nothing'])).toMatchObject({ reason: 'command-not-found' })
  expect(refusal(['./plain'])).toMatchObject({ reason: 'not-executable' })
  expect(refusal(['./folder'])).toMatchObject({ reason: 'not-executable' })
  expect(refusal(['./script'])).toMatchObject({
    reason: 'not-executable',
    message: expect.stringContaining('/no/such/interpreter'),
  })
  expect(refusal(['sh'], { cwd: join(rig.directory, 'missing') })).toMatchObject({ reason: 'workdir-missing' })
  expect(refusal(['sh'], { cwd: join(rig.directory, 'plain') })).toMatchObject({ reason: 'workdir-missing' })
  expect(refusal(['sh', 'a'.repeat(200_000)])).toMatchObject({ reason: 'failed' })
  expect(rig.facts).toEqual([])
  expect(refusal(['true'])).toMatchObject({ ok: true })
  expect(refusal(['true'])).toEqual({ ok: false, reason: 'duplicate' })
})

test('end() with scope leader signals the leader alone', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start(
    `sh -c 'trap "echo child got it" TERM; echo child up; while [ ! -e stop ]; do sleep 0.05; done' & trap "echo leader got it; touch stop; wait; exit 0" TERM; while :; do sleep 0.05; done`,
  )
  await rig.written(run, 'child up')
  rig.end(run, 10_000, 'SIGTERM', 'leader')
  await rig.fact(run, 'exited')
  expect(rig.output(run)).toContain('leader got it')
  expect(rig.output(run)).not.toContain('child got it')
})

test('end() signals no process of the group twice', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start(
    `sh -c 'trap "" HUP; trap "echo got TERM" TERM; sleep 0.05; echo up; while [ ! -e stop ]; do sleep 0.05; done' & trap "sleep 0.1; exit 0" TERM; while :; do sleep 0.05; done`,
  )
  await rig.written(run, 'up')
  rig.end(run, 20_000)
  await rig.fact(run, 'exited')
  await rig.written(run, 'got TERM')
  writeFileSync(join(rig.directory, 'stop'), '')
  await rig.fact(run, 'emptied')
  expect(rig.output(run).match(/got TERM/g)).toHaveLength(1)
})

test('signal() and members() reach a tree whose leader is gone', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start(
    `sh -c 'trap "" HUP; trap "echo got it; exit" USR1; echo up; while :; do sleep 0.05; done' & sleep 0.2`,
  )
  await rig.written(run, 'up')
  await rig.fact(run, 'exited')
  expect(rig.keeper.handle('members', { run }).members.length).toBeGreaterThan(0)
  expect(rig.keeper.handle('signal', { run, signal: 'SIGUSR1' })).toEqual({ sent: true })
  await rig.written(run, 'got it')
  await rig.fact(run, 'emptied')
  expect(rig.keeper.handle('signal', { run, signal: 'SIGUSR1' })).toEqual({ sent: false })
})

test('append() records what the daemon and containers have to say', async () => {
  await using rig = new KeeperRig()
  const log = rig.log('box')
  await rig.keeper.handle('append', { log, record: { type: 'health', status: 'healthy' } })
  await rig.keeper.handle('append', { log, output: Buffer.from('from a container\n').toString('base64') })
  await rig.written('box', 'from a container')
  expect(rig.frames('box').map(({ kind }) => kind)).toEqual(['record', 'output'])
  expect(() => rig.keeper.handle('append', { log: { ...log, stream: '../out' }, record: {} })).toThrow('not below')
})

test('a burst of 100 MB is recorded whole, in little memory', async () => {
  await using rig = new KeeperRig()
  const before = process.memoryUsage().rss
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10)
  const { run } = rig.start('head -c 100000000 /dev/zero | tr "\\0" x; echo; echo the end')
  await rig.fact(run, 'exited')
  clearInterval(timer)
  const frames = rig.frames(run)
  expect(frames.filter(({ kind }) => kind === 'gap')).toEqual([])
  const bytes = frames.filter(({ kind }) => kind === 'output').reduce((sum, frame) => sum + frame.bytes.length, 0)
  expect(bytes).toBe(100_000_000 + '\r\nthe end\r\n'.length)
  expect(most - before).toBeLessThan(100 << 20)
})

test('no descriptor is left after fifty runs', async () => {
  await using rig = new KeeperRig()
  const count = (): number => readdirSync('/proc/self/fd').length
  const round = async (): Promise<void> => {
    const runs = Array.from(
      { length: 50 },
      (_, i) => rig.start('true', { tty: i % 2 === 0 ? null : { cols: 80, rows: 24 }, log: rig.log('one') }).run,
    )
    await Promise.all(runs.map((run) => rig.fact(run, 'emptied')))
  }
  await round()
  const before = count()
  await round()
  expect(count()).toBeLessThanOrEqual(before + 2)
})

test('200 runs start and end', async () => {
  await using rig = new KeeperRig()
  const runs = Array.from({ length: 200 }, () => rig.start(['sleep', '600']).run)
  for (const run of runs) rig.end(run, 10_000)
  await Promise.all(runs.map((run) => rig.fact(run, 'emptied')))
  expect(rig.facts.filter(({ type }) => type === 'killed')).toEqual([])
})

test('a terminal that nobody had open for a moment is read and typed into again', async () => {
  await using rig = new KeeperRig()
  const { run } = rig.start(
    'exec >quiet 2>&1 </dev/null; while [ ! -e go ]; do sleep 0.02; done; echo hi >/dev/tty; read line </dev/tty; echo "got <$line>" >/dev/tty; exec sleep 600',
  )
  // Nobody has it open once the file is there.
  while (!existsSync(join(rig.directory, 'quiet'))) await new Promise((resolve) => setTimeout(resolve, 5))
  const type = (text: string): unknown =>
    rig.keeper.handle('write', { run, data: Buffer.from(text).toString('base64') })
  expect(type('')).toEqual({ written: true })
  writeFileSync(join(rig.directory, 'go'), '')
  await rig.written(run, 'hi')
  expect(type('hello\n')).toEqual({ written: true })
  await rig.written(run, 'got <hello>')
})

test('the file of runs lists what runs', async () => {
  await using rig = new KeeperRig()
  const { run, pid } = rig.start('sleep 600')
  const path = join(rig.directory, 'runs.jsonl')
  expect(readFileSync(path, 'utf8')).toContain(`"pid":${pid}`)
  rig.end(run, 0)
  await rig.fact(run, 'emptied')
  expect(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)).toBe(`{"emptied":"${run}"}`)
})
