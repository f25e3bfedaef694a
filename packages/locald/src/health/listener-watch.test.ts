import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TestService } from './testing/service.ts'
import { ListenerWatch } from './listener-watch.ts'
import type { Listener, ListenerTable } from '../lib/listener.ts'
import type { ownersOf } from '../lib/port-holder.ts'
import type { Cadence } from './listener-watch.ts'

const always: Cadence = [{ everyMs: 10, forMs: Number.POSITIVE_INFINITY }]
const nothing = (): void => {}

function listener(port: number, inode: number, changes: Partial<Listener> = {}): Listener {
  return { family: 4, port, address: '127.0.0.1', uid: process.getuid?.() ?? 0, inode, pid: null, ...changes }
}

/** A system with these listeners, and these processes that have them. */
function world(listeners: Listener[], owners: Map<number, number>, unreadable: readonly number[] = []) {
  const counts = { reads: 0, searches: 0, most: 0, closed: 0 }
  const table: ListenerTable = {
    read: async () => {
      counts.reads++
      return [...listeners]
    },
    [Symbol.dispose]: () => void counts.closed++,
  }
  const find: typeof ownersOf = (inodes, pids) => {
    const among = new Set(pids)
    counts.searches++
    counts.most = Math.max(counts.most, among.size)
    return {
      owners: new Map([...owners].filter(([inode, pid]) => inodes.has(inode) && among.has(pid))),
      unreadable: unreadable.filter((pid) => among.has(pid)),
    }
  }
  return { watch: new ListenerWatch({ openTable: async () => table, owners: find }), counts, listeners, owners }
}

describe.runIf(process.platform === 'linux')('ListenerWatch', () => {
  let one: TestService
  let two: TestService
  beforeEach(() => {
    one = TestService.start('')
    two = TestService.start('')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(async () => {
    vi.useRealTimers()
    await one[Symbol.asyncDispose]()
    await two[Symbol.asyncDispose]()
  })

  const wait = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms))

  test('tells apart whose listener it is', async () => {
    const owners = new Map([
      [1, one.identity.pid],
      [2, two.identity.pid],
    ])
    const { watch } = world([listener(80, 1), listener(81, 2), listener(82, 3)], owners)
    const changed = vi.fn<() => void>()
    const first = watch.watch({ identity: one.identity, ports: [80, 81, 82], changed })
    const second = watch.watch({ identity: two.identity, ports: [80], changed: nothing })
    first.follow(always)
    second.follow(always)
    await wait(100)
    expect(first.listeners.own.map(({ port }) => port)).toEqual([80])
    expect(first.listeners.others.map(({ port }) => port)).toEqual([81, 82])
    expect(second.listeners.own.map(({ port }) => port)).toEqual([81])
    expect(changed).toHaveBeenCalled()
    watch[Symbol.dispose]()
  })

  test('asks the leader alone, as long as that is who has the given port', async () => {
    const { watch, counts } = world([listener(80, 1)], new Map([[1, one.identity.pid]]))
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    const other = watch.watch({ identity: two.identity, ports: [81], changed: nothing })
    run.follow(always)
    other.follow(always)
    await wait(15)
    expect(run.listeners.own).toHaveLength(1)
    expect(counts).toMatchObject({ searches: 1, most: 1 })
    watch[Symbol.dispose]()
  })

  test('holds a new listener for unknown before it says that it is somebody else', async () => {
    const { watch } = world([listener(80, 1)], new Map())
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    run.follow(always)
    await wait(15)
    expect(run.listeners).toMatchObject({ own: [], others: [], unknown: [{ port: 80 }] })
    await wait(200)
    expect(run.listeners).toMatchObject({ own: [], others: [{ port: 80 }], unknown: [] })
    watch[Symbol.dispose]()
  })

  test('finds an owner that shows a moment after its listener', async () => {
    const owners = new Map<number, number>()
    const { watch } = world([listener(80, 1)], owners)
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    run.follow(always)
    await wait(15)
    owners.set(1, one.identity.pid)
    await wait(100)
    expect(run.listeners.own).toHaveLength(1)
    watch[Symbol.dispose]()
  })

  test('looks at no process for as long as the listeners are the same', async () => {
    const { watch, counts } = world([listener(80, 1), listener(81, 2)], new Map([[1, one.identity.pid]]))
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    run.follow(always)
    await wait(500)
    const { reads, searches } = counts
    await wait(1000)
    expect(counts.reads - reads).toBeGreaterThan(90)
    expect(counts.searches).toBe(searches)
    watch[Symbol.dispose]()
  })

  test('does not look at all when nobody follows, and slows with the cadence', async () => {
    const { watch, counts } = world([], new Map())
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    await wait(1000)
    expect(counts.reads).toBe(0)
    run.follow([
      { everyMs: 10, forMs: 1000 },
      { everyMs: 100, forMs: 1000 },
    ])
    await wait(1000)
    const quick = counts.reads
    expect(quick).toBeGreaterThan(90)
    await wait(1000)
    expect(counts.reads - quick).toBeLessThanOrEqual(11)
    const all = counts.reads
    await wait(10_000)
    expect(counts.reads - all).toBeLessThanOrEqual(1)
    watch[Symbol.dispose]()
  })

  test('looks once a second for losses, and at nobody who has none', async () => {
    const { watch, counts, listeners } = world([listener(80, 1)], new Map([[1, one.identity.pid]]))
    const changed = vi.fn<() => void>()
    const run = watch.watch({ identity: one.identity, ports: [80], changed })
    await run.check()
    run.follow('losses')
    const { reads, searches } = counts
    listeners.push(listener(81, 2))
    await wait(10_000)
    expect(counts.reads - reads).toBeLessThanOrEqual(11)
    expect(counts.searches).toBe(searches)
    expect(changed).not.toHaveBeenCalled()
    listeners.shift()
    await wait(1100)
    expect(changed).toHaveBeenCalledOnce()
    expect(run.listeners.own).toEqual([])
    watch[Symbol.dispose]()
  })

  test('is not put off by many checks', async () => {
    const { watch, counts, listeners, owners } = world([], new Map())
    const changed = vi.fn<() => void>()
    const followed = watch.watch({ identity: one.identity, ports: [80], changed })
    const checked = watch.watch({ identity: two.identity, ports: [81], changed: nothing })
    followed.follow([{ everyMs: 250, forMs: Number.POSITIVE_INFINITY }])
    owners.set(1, one.identity.pid)
    listeners.push(listener(80, 1))
    for (let n = 0; n < 20; n++) {
      await checked.check()
      await wait(25)
    }
    expect(counts.reads).toBeGreaterThan(15)
    expect(changed).toHaveBeenCalled()
    watch[Symbol.dispose]()
  })

  test('shares a look among many that check by interval, also with a run that came after it', async () => {
    const { watch, counts, listeners, owners } = world([listener(80, 1)], new Map([[1, one.identity.pid]]))
    const first = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    expect((await first.check(1000)).own.map(({ port }) => port)).toEqual([80])
    const second = watch.watch({ identity: two.identity, ports: [81], changed: nothing })
    owners.set(2, two.identity.pid).set(3, one.identity.pid)
    listeners.push(listener(81, 2), listener(90, 3))
    await wait(1001)
    expect((await second.check(1000)).own.map(({ port }) => port)).toEqual([81])
    expect((await first.check(1000)).own.map(({ port }) => port)).toEqual([80, 90])
    expect(counts.reads).toBe(2)
    watch[Symbol.dispose]()
  })

  test('looks less often where looking is dear', async () => {
    let reads = 0
    const table: ListenerTable = {
      read: async () => {
        reads++
        await new Promise((resolve) => setTimeout(resolve, 20))
        return []
      },
      [Symbol.dispose]: nothing,
    }
    using watch = new ListenerWatch({ openTable: async () => table })
    watch.watch({ identity: one.identity, ports: [80], changed: nothing }).follow(always)
    await wait(2000)
    expect(reads).toBeGreaterThan(5)
    expect(reads).toBeLessThan(15)
  })

  test('drops a listener that is gone', async () => {
    const { watch, listeners } = world([listener(80, 1)], new Map([[1, one.identity.pid]]))
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    run.follow(always)
    await wait(50)
    expect(run.listeners.own).toHaveLength(1)
    listeners.length = 0
    await wait(20)
    expect(run.listeners.own).toEqual([])
    watch[Symbol.dispose]()
  })

  test('takes a hidden process for the owner when its user made the socket and nobody else has it', async () => {
    const { watch } = world([listener(80, 1), listener(81, 2)], new Map(), [one.identity.pid])
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    run.follow(always)
    await wait(100)
    expect(run.listeners.own.map(({ port }) => port)).toEqual([80])
    watch[Symbol.dispose]()
  })

  test('does not take a hidden process for the owner of what another one is seen to have, or another user made', async () => {
    const seen = world([listener(80, 1)], new Map([[1, process.pid]]), [one.identity.pid])
    const foreign = world([listener(80, 1, { uid: 4242 })], new Map(), [one.identity.pid])
    for (const { watch } of [seen, foreign]) {
      const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
      run.follow(always)
      await wait(200)
      expect(run.listeners.own).toEqual([])
      expect(run.listeners.others).toHaveLength(1)
      watch[Symbol.dispose]()
    }
  })

  test('tells two that watch one run the same, also when one leaves', async () => {
    const { watch } = world([listener(80, 1)], new Map([[1, one.identity.pid]]))
    const first = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    first.follow(always)
    await wait(50)
    const second = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    expect((await second.check()).own).toHaveLength(1)
    first[Symbol.dispose]()
    await wait(50)
    expect((await second.check()).own).toHaveLength(1)
    watch[Symbol.dispose]()
  })

  test('says why nothing can be known, and recovers', async () => {
    let isBroken = true
    const table: ListenerTable = {
      read: async () => {
        if (isBroken) throw new Error('no /proc')
        return [listener(80, 1, { pid: one.identity.pid })]
      },
      [Symbol.dispose]: nothing,
    }
    using watch = new ListenerWatch({ openTable: async () => table })
    const run = watch.watch({ identity: one.identity, ports: [80], changed: nothing })
    expect((await run.check()).problem).toBe('Cannot list listening sockets: no /proc')
    isBroken = false
    await wait(100)
    expect((await run.check()).problem).toBeNull()
    expect(run.listeners.own).toHaveLength(1)
  })

  test('closes its table when it is disposed of, and looks no more', async () => {
    const { watch, counts } = world([], new Map())
    watch.watch({ identity: one.identity, ports: [80], changed: nothing }).follow(always)
    await wait(50)
    watch[Symbol.dispose]()
    const { reads } = counts
    await wait(100)
    expect(counts).toMatchObject({ reads, closed: 1 })
  })
})
