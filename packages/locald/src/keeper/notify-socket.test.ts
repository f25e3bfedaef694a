// Real senders against a keeper in this process: what they say, and whether they are believed.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { KeeperRig } from './keeper-rig.ts'
import { pythonSender, sendNotify } from './notify-client.ts'
import type { Fact, NotifyOrder } from './protocol.ts'

type Told = Extract<Fact, { type: 'notified' | 'notify-refused' | 'watchdog' }>

interface Fixture {
  readonly rig: KeeperRig
  readonly start: (command: string | readonly string[], notify?: Partial<NotifyOrder>) => Started
  readonly python: (body: string, notify?: Partial<NotifyOrder>) => Started
  readonly told: (run: string) => readonly Told[]
  /** Of the messages that count, what each said. */
  readonly fields: (run: string) => readonly Readonly<Record<string, string>>[]
  readonly said: (run: string, name: string, value: string) => Promise<Told & { type: 'notified' }>
  readonly refused: (run: string) => Promise<Told & { type: 'notify-refused' }>
}

interface Started {
  readonly run: string
  readonly address: string
}

const isRoot = process.getuid?.() === 0
let addresses = 0

describe.runIf(process.platform === 'linux')('notify socket', () => {
  /** A keeper, and a way to start services that it listens to. */
  function rigUp(): Fixture {
    const rig = new KeeperRig()
    onTestFinished(() => rig[Symbol.asyncDispose]())
    const start = (command: string | readonly string[], notify: Partial<NotifyOrder> = {}) => {
      const address = `@locald/test-${process.pid}-${++addresses}`
      const env = { PATH: process.env['PATH'] ?? '', NOTIFY_SOCKET: address }
      const { run } = rig.start(command, { env, notify: { address, ...notify }, tty: null })
      return { run, address }
    }
    const told = (run: string): readonly Told[] =>
      rig.facts.filter((fact): fact is Told => fact.run === run && /^(?:notif|watchdog)/u.test(fact.type))
    const isSaid =
      (name: string, value: string) =>
      (fact: Told): fact is Told & { type: 'notified' } =>
        fact.type === 'notified' && fact.fields[name] === value
    return {
      rig,
      start,
      python: (body, notify) => start(['python3', '-c', pythonSender(body)], notify),
      told,
      fields: (run) => told(run).flatMap((fact) => (fact.type === 'notified' ? [fact.fields] : [])),
      said: (run, name, value) => rig.until(() => told(run).find(isSaid(name, value))),
      refused: (run) =>
        rig.until(() =>
          told(run).find((fact): fact is Told & { type: 'notify-refused' } => fact.type === 'notify-refused'),
        ),
    }
  }

  test('hears systemd-notify, and answers its barrier at once', async () => {
    const { rig, start, said } = rigUp()
    const { run } = start('systemd-notify --ready --status="all good"; echo "exit $?"; sleep 100')
    const { fields, sender } = await said(run, 'READY', '1')
    expect(fields).toEqual({ READY: '1', STATUS: 'all good' })
    expect(sender).toMatchObject({ uid: process.getuid?.(), verdict: 'member' })
    expect(await rig.written(run, 'exit')).toBe('exit 0\n')
  })

  test.runIf(isRoot)('hears systemd-notify of another user', async () => {
    const { rig, start, said } = rigUp()
    const notify = 'setpriv --reuid 65534 --clear-groups systemd-notify --ready'
    const { run } = start(`${notify}; echo "exit $?"; sleep 100`)
    expect((await said(run, 'READY', '1')).sender).toMatchObject({ uid: 65534, verdict: 'member' })
    expect(await rig.written(run, 'exit')).toBe('exit 0\n')
  })

  test('closes the descriptor of a barrier when everything before it is told', async () => {
    const { rig, python, told } = rigUp()
    const { run } = python(`
say("STATUS=first", "READY=1")
for n in range(5):
    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        begin = time.monotonic()
        client.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write]))])
    os.close(write)
    os.read(read, 1)
    os.close(read)
    print("took", round((time.monotonic() - begin) * 1000), flush=True)
say("STATUS=passed")
time.sleep(100)`)
    const output = await rig.written(run, /(?:took \d+\s+){5}/u)
    const times = [...output.matchAll(/took (\d+)/gu)].map(([, time]) => Number(time))
    // 5000 is where systemd-notify gives up.
    for (const time of times) expect(time).toBeLessThan(500)
    expect(told(run).slice(0, 2)).toMatchObject([{ fields: { STATUS: 'first' } }, { fields: { READY: '1' } }])
  })

  test('believes a member that left session, group and environment behind', async () => {
    const { python, said } = rigUp()
    const { run } = python(`
script = "import sys, socket, os, time\\nwhile os.getppid() == int(sys.argv[2]): time.sleep(0.01)\\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('\\\\0' + sys.argv[1]); s.send(b'READY=1'); time.sleep(100)"
if os.fork() == 0:
    os.setsid()
    mine = os.getpid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-c", script, address[1:], str(mine)], {})
    os._exit(0)
time.sleep(100)`)
    expect((await said(run, 'READY', '1')).sender.verdict).toBe('member')
  })

  test('refuses a process of the same user that is alive and not of the tree', async () => {
    const { start, refused, fields } = rigUp()
    const { run, address } = start('sleep 100')
    const env = { ...process.env, NOTIFY_SOCKET: address }
    const attacker = spawn('python3', ['-c', pythonSender('say("READY=1")\ntime.sleep(100)')], { env })
    onTestFinished(() => void attacker.kill('SIGKILL'))
    const { reason, sender, count, fields: shown } = await refused(run)
    expect({ reason, count, shown, pid: sender.pid }).toEqual({
      reason: 'outside',
      count: 1,
      shown: { READY: '1' },
      pid: attacker.pid,
    })
    expect(sender.command).toMatch(/python/u)
    expect(fields(run)).toEqual([])
  })

  test('refuses a sibling', async () => {
    const { start, python, refused, fields } = rigUp()
    const { run, address } = start('sleep 100')
    const sibling = python(`address = "\\0${address.slice(1)}"\nsay("READY=1")\ntime.sleep(100)`)
    expect((await refused(run)).reason).toBe('outside')
    expect(fields(run)).toEqual([])
    expect(fields(sibling.run)).toEqual([])
  })

  test('marks a sender that is gone when its message is read', async () => {
    const { start, said } = rigUp()
    const { run, address } = start('sleep 100')
    // The keeper is this process, which reads nothing until the sender has been reaped.
    spawnSync('python3', ['-c', pythonSender('say("READY=1")')], { env: { ...process.env, NOTIFY_SOCKET: address } })
    expect((await said(run, 'READY', '1')).sender).toMatchObject({ verdict: 'exited', command: null })
  })

  test.runIf(isRoot)('believes one that is gone only with a user seen in the tree', async () => {
    const { start, refused, fields, said, rig } = rigUp()
    const { run, address } = start('sleep 100')
    const other = start('setpriv --reuid 65534 --clear-groups sh -c "echo here; sleep 100"')
    await rig.written(other.run, 'here')
    const sender = ['--reuid', '65534', '--clear-groups', '/usr/bin/python3', '-c', pythonSender('say("READY=1")')]
    spawnSync('setpriv', sender, { env: { NOTIFY_SOCKET: address } })
    spawnSync('setpriv', sender, { env: { NOTIFY_SOCKET: other.address } })
    expect(await refused(run)).toMatchObject({ reason: 'unknown-user', sender: { uid: 65534 } })
    expect(fields(run)).toEqual([])
    expect((await said(other.run, 'READY', '1')).sender).toMatchObject({ uid: 65534, verdict: 'exited' })
  })

  test('survives messages that are none, and counts them', async () => {
    const { python, rig, told, said } = rigUp()
    const { run } = python(`
say("", "nonsense", b"\\x00\\x01\\xff", "READY=1" + "x" * 4090, "STATUS=" + "y" * 4089, "STATUS=" + "z" * 60000, "READY\\0=1")
say("READY=1")
time.sleep(100)`)
    await said(run, 'READY', '1')
    await rig.until(() => (refusals() === 6 ? true : undefined))
    function refusals(): number {
      return told(run).reduce((sum, fact) => sum + (fact.type === 'notify-refused' ? fact.count : 0), 0)
    }
    const statuses = told(run).flatMap((fact) => (fact.type === 'notified' ? (fact.fields['STATUS'] ?? []) : []))
    expect(statuses).toEqual(['y'.repeat(4089)])
  })

  test('survives a flood with few facts, and hears what it drowns', async () => {
    const { python, rig, told, fields } = rigUp()
    const { run } = python(`
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
    client.connect(address)
    for n in range(3000):
        client.send(b"STATUS=%d" % n)
        if n == 1500: client.send(b"READY=1")
    print("sent", flush=True)
time.sleep(100)`)
    // A daemon that stores what it is told: without one the keeper would hold the rest back.
    await rig.until(() => {
      rig.keeper.handle('ack', { seq: rig.facts.at(-1)?.seq ?? 0 })
      return fields(run).some((said) => said['STATUS'] === '2999') ? true : undefined
    })
    expect(fields(run).some((said) => said['READY'] === '1')).toBe(true)
    expect(told(run).length).toBeLessThan(200)
    expect(rig.errors).toEqual([])
  })

  test('closes every descriptor that it is sent', async () => {
    const { python, rig } = rigUp()
    const before = openedOn('/dev/full')
    const { run } = python(`
files = [os.open("/dev/full", os.O_WRONLY) for _ in range(200)]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
    client.connect(address)
    for message in [b"FDSTORE=1", b"nonsense", b"READY=1", b"BARRIER=1", b"x" * 9000] * 20:
        client.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
say("STATUS=sent")`)
    expect((await rig.fact(run, 'exited')).code).toBe(0)
    // Closing is left to other threads.
    while (openedOn('/dev/full') > before) await new Promise(setImmediate)
    expect(openedOn('/dev/full')).toBe(before)
  })

  test('believes a main process of the tree alone', async () => {
    const { python, said, fields } = rigUp()
    const { run } = python(`
say("MAINPID=1", "MAINPID=%d" % os.getppid(), "MAINPID=0", "MAINPID=-1", "MAINPID=x")
say("MAINPID=%d" % os.getpid(), "STATUS=done")
time.sleep(100)`)
    await said(run, 'STATUS', 'done')
    const { MAINPID: main } = Object.assign({}, ...fields(run)) as Record<string, string>
    expect(fields(run).filter((said) => 'MAINPID' in said)).toHaveLength(1)
    expect(main).toBe(String((await said(run, 'STATUS', 'done')).sender.pid))
  })

  test('tells the last words of a service before its exit', async () => {
    const { python, rig } = rigUp()
    const { run } = python('say("STATUS=giving up", "ERRNO=2", "STOPPING=1")\nos._exit(3)')
    await rig.fact(run, 'emptied')
    const types = rig.typesOf(run)
    expect(types[0]).toBe('spawned')
    expect(types.slice(-2)).toEqual(['exited', 'emptied'])
    const said = Object.assign({}, ...rig.facts.map((fact) => (fact.type === 'notified' ? fact.fields : {}))) as object
    expect(said).toEqual({ STATUS: 'giving up', ERRNO: '2', STOPPING: '1' })
  })

  test('is told again to whoever asks what runs', async () => {
    const { rig, python, said } = rigUp()
    const { run } = python('say("READY=1", "STATUS=one", "RELOADING=1", "STATUS=two")\ntime.sleep(100)')
    const { sender } = await said(run, 'STATUS', 'two')
    const info = rig.keeper.handle('list', {}).runs.find((one) => one.run === run)
    expect(info?.notified).toEqual({ fields: { READY: '1', RELOADING: '1', STATUS: 'two' }, sender })
    const silent = rig.start('sleep 100')
    expect(rig.keeper.handle('list', {}).runs.find((one) => one.run === silent.run)).not.toHaveProperty('notified')
  })

  test('lets go of the socket with the run', async () => {
    const { start, rig, said } = rigUp()
    const { run, address } = start('systemd-notify --ready; sleep 100')
    await said(run, 'READY', '1')
    expect(readFileSync('/proc/net/unix', 'utf8')).toContain(address)
    rig.end(run)
    await rig.fact(run, 'emptied')
    // The thread that waits for it lets go last.
    while (isBound(address)) await new Promise(setImmediate)
    expect(sendNotify(address, 'READY=1')).toBe(false)
  })

  test('a run that cannot have its socket is not started', async () => {
    const { rig, start } = rigUp()
    const { address } = start('sleep 100')
    const result = rig.keeper.handle('spawn', rig.order('sleep 100', { notify: { address } }))
    expect(result).toMatchObject({ ok: false, reason: 'failed' })
    expect(JSON.stringify(result)).toContain('EADDRINUSE')
    rig.errors.length = 0
  })

  test('keeps what is said while no daemon listens', async () => {
    const { rig, start } = rigUp()
    const facts: Fact[] = []
    const nobody = { onFact: (fact: Fact) => void facts.push(fact), onGrew: () => {}, onTrouble: () => {} }
    rig.keeper.listen(nobody)
    rig.keeper.unlisten(nobody)
    const { run } = start('systemd-notify --ready; echo said; sleep 100')
    const said = (): Fact | undefined =>
      rig.keeper.unacknowledged.find((fact) => fact.run === run && fact.type === 'notified')
    while (said() === undefined) await new Promise(setImmediate)
    expect(facts).toEqual([])
    expect(said()).toMatchObject({ fields: { READY: '1' } })
  })

  describe('watchdog', () => {
    test('is missed by a service that stops to send, and noticed to be back', async () => {
      const { python, rig, told, said } = rigUp()
      const { run } = python(
        `
say("READY=1")
for n in range(10):
    time.sleep(0.05)
    say("WATCHDOG=1")
say("STATUS=stalling")
sys.stdin.readline()
say("WATCHDOG=1")
sys.stdin.readline()`,
        { watchdogMs: 300 },
      )
      const alarms = (): readonly Told[] => told(run).filter((fact) => fact.type === 'watchdog')
      await said(run, 'STATUS', 'stalling')
      expect(alarms()).toEqual([])
      await rig.until(() => alarms()[0])
      expect(alarms()).toMatchObject([{ is: 'missed', periodMs: 300 }])
      rig.keeper.handle('write', { run, data: Buffer.from('\n').toString('base64') })
      await rig.until(() => alarms()[1])
      expect(alarms()[1]).toMatchObject({ is: 'resumed' })
      await rig.until(() => alarms()[2])
    })

    test('counts from the order of the daemon where nothing says READY=1', async () => {
      const { rig, start, told } = rigUp()
      const { run } = start('sleep 100', { watchdogMs: 50 })
      const later = start('echo up; sleep 100', { watchdogMs: 50 })
      await rig.written(later.run, 'up')
      expect(rig.keeper.handle('watchdog', { run })).toEqual({ known: true })
      await rig.until(() => told(run)[0])
      expect(told(run)).toMatchObject([{ type: 'watchdog', is: 'missed', periodMs: 50 }])
      expect(told(later.run)).toEqual([])
    })

    test('is no business of a run that is being ended', async () => {
      const { rig, python, told, said } = rigUp()
      const { run } = python(
        `
import signal
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.4), os._exit(0)))
say("READY=1")
time.sleep(100)`,
        { watchdogMs: 200 },
      )
      await said(run, 'READY', '1')
      rig.end(run)
      await rig.fact(run, 'emptied')
      expect(told(run).filter((fact) => fact.type === 'watchdog')).toEqual([])
    })
  })

  test('a service that asks for more time to end is not killed before', async () => {
    const { rig, python, said } = rigUp()
    const { run } = python(`
import signal
def end(*_):
    for n in range(6):
        say("EXTEND_TIMEOUT_USEC=400000")
        time.sleep(0.1)
    print("tidy", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
say("READY=1")
while True: time.sleep(100)`)
    await said(run, 'READY', '1')
    rig.end(run, 200)
    expect(await rig.fact(run, 'exited')).toMatchObject({ code: 0, signal: null })
    expect(rig.output(run)).toContain('tidy')
    expect(rig.typesOf(run)).not.toContain('killed')
  })

  test('an end at once is not put off by a service that asks for more time', async () => {
    const { rig, python, said } = rigUp()
    const { run } = python(`
import signal
def end(*_): say("EXTEND_TIMEOUT_USEC=60000000", "STATUS=asked")
signal.signal(signal.SIGTERM, end)
say("READY=1")
while True: time.sleep(100)`)
    await said(run, 'READY', '1')
    rig.end(run, 10_000)
    await said(run, 'STATUS', 'asked')
    rig.end(run, 0)
    expect(await rig.fact(run, 'exited')).toMatchObject({ signal: 'SIGKILL' })
  })
})

/** Descriptors of this process on that file. */
function openedOn(file: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`) === file).length
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null // the folder's own descriptor, closed by now
  }
}

function isBound(address: string): boolean {
  return readFileSync('/proc/net/unix', 'utf8').includes(address)
}
