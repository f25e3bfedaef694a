// The words and pictures of the command line, as text.
import { EventEmitter } from 'node:events'
import type { ServiceSnapshot } from '@locald/protocol'
import { describe, expect, test } from 'vitest'
import { countDiagnostics, renderDiagnostic } from './diagnostics.ts'
import { formatDuration } from './durations.ts'
import { createLabelPrefix } from './label-prefix.ts'
import { LiveArea } from './live-area.ts'
import { createOutput } from './output.ts'
import type { OutputStream } from './output.ts'
import { ChangeLines, renderProgress } from './progress.ts'
import { renderServices } from './service-table.ts'
import { describeService, isReady } from './service-words.ts'
import { styleFor, wantsColours } from './style.ts'
import { renderTable } from './table.ts'
import { padEnd, textWidth, truncate } from './text-width.ts'

const plain = styleFor(false)
const coloured = styleFor(true)
const now = Date.UTC(2026, 0, 1)

function snapshot(fields: Partial<ServiceSnapshot>): ServiceSnapshot {
  return {
    name: 'web',
    instance: 1,
    type: 'exec',
    state: 'running',
    health: { status: 'healthy', source: 'tcp' },
    pid: 4242,
    port: 21233,
    ports: [21233],
    url: 'http://127.0.0.1:21233',
    restarts: 0,
    exit: null,
    started_at: new Date(now - 2000).toISOString(),
    ready_after_ms: 212,
    depends_on: [],
    warnings: [],
    run: 1,
    waiting_for: [],
    reason: null,
    retry_at: null,
    ...fields,
  }
}

const none = { status: 'none', source: null } as const
const waiting = snapshot({
  name: 'api',
  state: 'waiting',
  health: none,
  pid: null,
  port: null,
  url: null,
  ready_after_ms: null,
  waiting_for: [{ service: 'db', condition: 'healthy', reason: 'starting' }],
})
const failed = snapshot({ name: 'db', state: 'failed', health: none, pid: null, reason: 'exited with code 3' })

describe('text', () => {
  test.each([
    ['plain', 5],
    ['größer', 6],
    ['日本語', 6],
    ['🙂', 2],
    ['👩‍👩‍👧', 2],
    ['e\u0301', 1],
    ['\u001b[31mred\u001b[39m', 3],
    ['', 0],
  ])('textWidth() of %j is %i', (text, width) => {
    expect(textWidth(text)).toBe(width)
  })

  test('truncate() never exceeds the width, nor cuts a wide character in half', () => {
    expect(truncate('abcdef', 4)).toBe('abc…')
    expect(truncate('日本語', 4)).toBe('日…')
    expect(truncate('abc', 3)).toBe('abc')
    expect(truncate('abc', 0)).toBe('')
    for (let width = 0; width < 12; width += 1)
      expect(textWidth(truncate('a日b本🙂c語d', width))).toBeLessThanOrEqual(width)
  })

  test('padEnd() counts columns, not characters', () => {
    expect(padEnd('日本', 6)).toBe('日本  ')
    expect(padEnd('toolong', 3)).toBe('toolong')
  })

  test.each([
    [0, '0ms'],
    [212, '212ms'],
    [999.6, '1.0s'],
    [4230, '4.2s'],
    [59_960, '1m00s'],
    [185_000, '3m05s'],
    [7_380_000, '2h03m'],
    [446_400_000, '5d4h'],
    [-5, '0ms'],
  ])('formatDuration() of %d is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('colours', () => {
  test.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('wantsColours() for terminal %j with %j is %j', (isTerminal, env, wanted) => {
    expect(wantsColours(isTerminal, env)).toBe(wanted)
  })

  test('a foreign line keeps its colours only where colours are on, and never moves the cursor', () => {
    const line = '\u001b[2J\u001b[31mred\u001b[39m\u0007'
    expect(plain.foreign(line)).toBe('red')
    expect(coloured.foreign(line)).toContain('\u001b[31mred')
    expect(coloured.foreign(line)).not.toContain('\u001b[2J')
  })
})

describe('tables', () => {
  const columns = [{ title: 'NAME' }, { title: 'PORT', align: 'right' as const }, { title: 'NOTE', spare: 1 }]
  const rows = [
    [{ text: 'web' }, { text: '80' }, { text: 'a long remark' }],
    [{ text: '日本語' }, { text: '21233' }, { text: '' }],
  ]

  test('renderTable() aligns by columns of the terminal, without spaces at the ends', () => {
    expect(renderTable(columns, rows, { width: null, style: plain })).toEqual([
      'NAME     PORT  NOTE',
      'web        80  a long remark',
      '日本語  21233',
    ])
  })

  test('renderTable() leaves out what is spare, then cuts, when it gets narrow', () => {
    expect(renderTable(columns, rows, { width: 20, style: plain })).toEqual([
      'NAME     PORT',
      'web        80',
      '日本語  21233',
    ])
    const narrow = renderTable(columns, rows, { width: 9, style: plain })
    for (const line of narrow) expect(textWidth(line)).toBeLessThanOrEqual(9)
  })

  test('renderServices() shows the columns of status, remarks, warnings and instances', () => {
    const services = [
      snapshot({ warnings: ['PORT is hidden'] }),
      waiting,
      failed,
      snapshot({
        name: 'worker',
        instance: 1,
        port: null,
        url: null,
        health: { status: 'healthy', source: 'process' },
      }),
      snapshot({
        name: 'worker',
        instance: 2,
        state: 'backoff',
        health: none,
        restarts: 2,
        pid: null,
        port: null,
        url: null,
      }),
    ]
    expect(renderServices(services, { width: null, style: plain, now })).toEqual([
      'NAME      STATE         HEALTH   SOURCE    PORT   PID  READY  URL',
      'web       running       healthy  tcp      21233  4242  212ms  http://127.0.0.1:21233',
      'api       waiting       -        -            -     -      -  -',
      'db        failed        -        -        21233     -  212ms  http://127.0.0.1:21233',
      'worker.1  running       healthy  process      -  4242  212ms  -',
      'worker.2  backoff (2×)  -        -            -     -  212ms  -',
      '',
      'web: warning: PORT is hidden',
      'api: waiting for db (starting)',
      'db: failed: exited with code 3',
      'worker.2: exited, starts again',
    ])
  })

  test('renderServices() of what is stopped says nothing of its last life; of nothing, that there is nothing', () => {
    const stopped = snapshot({ state: 'stopped', health: none, pid: null, restarts: 4 })
    const [, row = ''] = renderServices([stopped], { width: null, style: plain, now })
    expect(row.split(/ {2,}/)).toEqual(['web', 'stopped', '-', '-', '21233', '-', '-', 'http://127.0.0.1:21233'])
    expect(renderServices([], { width: null, style: plain, now })).toEqual(['No services are defined'])
  })

  test('renderServices() leaves out the remark on what is reported elsewhere', () => {
    const lines = renderServices([failed, waiting], { width: null, style: plain, now, isReported: (s) => s === failed })
    expect(lines.slice(3)).toEqual(['', 'api: waiting for db (starting)'])
  })

  test('renderServices() keeps name, state, health and port in 40 columns', () => {
    const [titles = '', row = ''] = renderServices([snapshot({})], { width: 40, style: plain, now })
    expect(titles.split(/ +/)).toEqual(expect.arrayContaining(['NAME', 'STATE', 'HEALTH', 'PORT']))
    expect(textWidth(row)).toBeLessThanOrEqual(40)
  })
})

describe('words', () => {
  test.each([
    [snapshot({}), 'healthy (tcp) after 212ms'],
    [waiting, 'waiting for db (starting)'],
    [failed, 'failed: exited with code 3'],
    [snapshot({ state: 'starting', health: { status: 'starting', source: 'http' } }), 'starting (http)'],
    [
      snapshot({ state: 'starting', health: { status: 'unhealthy', source: 'tcp', message: 'no listener' } }),
      'unhealthy (tcp): no listener',
    ],
    [
      snapshot({ state: 'backoff', reason: 'exited with code 1', retry_at: new Date(now + 2000).toISOString() }),
      'exited with code 1, starts again in 2.0s',
    ],
    [snapshot({ state: 'completed' }), 'completed after 212ms'],
    [snapshot({ state: 'stopped' }), 'stopped'],
  ])('describeService() says what an instance does: %#', (service, words) => {
    expect(describeService(service, now)).toBe(words)
  })
})

describe('progress', () => {
  const view = {
    title: 'Starting shop',
    isDone: isReady,
    startedAt: now - 4200,
    now,
    width: 80,
    height: 24,
    style: plain,
  }

  test('renderProgress() shows who is where, and what waits for what', () => {
    const starting = snapshot({ name: 'db', state: 'starting', health: { status: 'starting', source: 'tcp' } })
    const [head, ...lines] = renderProgress({ ...view, services: [snapshot({}), starting, waiting] })
    expect(head).toBe('Starting shop  1/3  4.2s')
    expect(lines[0]).toBe('✓ web  healthy (tcp) after 212ms')
    expect(lines[1]).toMatch(/^\S db {3}starting \(tcp\) {2}2\.0s$/u)
    expect(lines[2]).toBe('· api  waiting for db (starting)')
  })

  test('renderProgress() fits any terminal, and counts what it leaves out', () => {
    const services = Array.from({ length: 50 }, (_, index) => ({ ...waiting, name: `a-rather-long-name-${index}` }))
    for (const [width, height] of [
      [80, 10],
      [20, 24],
      [5, 5],
      [1, 1],
    ] as const) {
      const lines = renderProgress({ ...view, services, width, height })
      expect(lines.length).toBeLessThanOrEqual(Math.max(3, height))
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(Math.max(width, 3))
    }
    expect(renderProgress({ ...view, services, height: 10 }).at(-1)).toBe('  and 43 more')
  })

  test('renderProgress() shows what a service does beside the longest name', () => {
    const long = snapshot({ name: 'a'.repeat(63), state: 'starting', health: none })
    const view = { title: `Starting ${'p'.repeat(60)}`, services: [long, waiting], isDone: isReady, startedAt: now }
    const [head = '', ...lines] = renderProgress({ ...view, now: now + 1000, width: 60, height: 9, style: plain })
    expect(head).toMatch(/^Starting p+…  0\/2  1\.0s$/)
    expect(lines[0]).toMatch(/^. a{29}…  starting  /)
    expect(lines[1]).toContain('waiting for db')
    for (const line of [head, ...lines]) expect(textWidth(line)).toBeLessThanOrEqual(60)
  })

  test('ChangeLines gives one line for each change', () => {
    const changes = new ChangeLines()
    const starting = snapshot({ state: 'starting', health: { status: 'starting', source: 'tcp', message: '1' } })
    expect(changes.next('web', starting, now)).toBe('web starting (tcp)')
    expect(changes.next('web', { ...starting, health: { ...starting.health, message: '2' } }, now)).toBeNull()
    expect(changes.next('web', snapshot({}), now)).toBe('web healthy (tcp) after 212ms')
    changes.skip('api', snapshot({ name: 'api' }))
    expect(changes.next('api', snapshot({ name: 'api' }), now)).toBeNull()
    // A restart that was too quick to be seen is a change all the same.
    expect(changes.next('api', snapshot({ name: 'api', run: 2 }), now)).toBe('api healthy (tcp) after 212ms')
  })

  test('LiveArea draws over its last drawing and leaves nothing behind', () => {
    const { stream, text } = fakeStream()
    const { side } = createOutput({ stdout: () => stream, stderr: () => stream, env: {} })
    const area = new LiveArea(side)
    area.draw(['one', 'two'])
    area.draw(['three'])
    area.clear()
    area.clear()
    expect(text()).toBe('\u001b[?25lone\ntwo\n\u001b[2F\u001b[Jthree\n\u001b[1F\u001b[J\u001b[?25h')
  })
})

describe('diagnostics', () => {
  const fault = {
    severity: 'error',
    code: 'unknown-key',
    message: 'Unknown key "comand"',
    file: '/shop/locald.toml',
    line: 12,
    column: 2,
    length: 6,
    source: '\tcomand = "größe"',
    hint: 'Did you mean "command"?',
  } as const

  test('renderDiagnostic() quotes the line and marks the fault in it, tabs and all', () => {
    expect(renderDiagnostic(fault, { cwd: '/shop', style: plain })).toEqual([
      'error: Unknown key "comand" (unknown-key)',
      '   --> locald.toml:12:2',
      '   |',
      '12 |     comand = "größe"',
      '   |     ^^^^^^',
      '   hint: Did you mean "command"?',
    ])
  })

  test('renderDiagnostic() marks by width, beyond the end of the line, and goes without a line', () => {
    const wide = { ...fault, source: '日本 = 1', column: 1, length: 2 }
    expect(renderDiagnostic(wide, { cwd: '/', style: plain })[4]).toBe('   | ^^^^')
    const beyond = { ...fault, source: 'x', column: 99 }
    expect(renderDiagnostic(beyond, { cwd: '/', style: plain })[4]).toBe('   |  ^')
    const { source: _source, hint: _hint, ...bare } = fault
    expect(renderDiagnostic(bare, { cwd: '/elsewhere', style: plain })).toEqual([
      'error: Unknown key "comand" (unknown-key)',
      '   --> /shop/locald.toml:12:2',
    ])
  })

  test('countDiagnostics() names what there is', () => {
    expect(countDiagnostics([fault, fault, { ...fault, severity: 'warning' }])).toBe('2 errors, 1 warning')
    expect(countDiagnostics([])).toBe('')
  })
})

test('createLabelPrefix() aligns names as foreman does', () => {
  expect(createLabelPrefix(['web.1'], plain)('web.1')).toBe('web.1  | ')
  const prefix = createLabelPrefix(['web.1', 'a-worker.1'], plain)
  expect(prefix('web.1')).toBe('web.1      | ')
  expect(prefix('system')).toBe('system     | ')
  const colours = createLabelPrefix(['web', 'api'], coloured)
  expect(colours('web')).not.toBe(colours('api').replace('api', 'web'))
})

function fakeStream(facts: Partial<OutputStream> = {}): { stream: OutputStream & EventEmitter; text: () => string } {
  let written = ''
  const stream = Object.assign(new EventEmitter(), {
    write: (chunk: string) => {
      written += chunk
    },
    ...facts,
  })
  return { stream, text: () => written }
}

describe('output', () => {
  test('answers go to stdout, all else to stderr; JSON is one line in a pipe', () => {
    const stdout = fakeStream()
    const stderr = fakeStream()
    const output = createOutput({ stdout: () => stdout.stream, stderr: () => stderr.stream, env: {} })
    output.print('answer')
    output.printJson({ a: [1] })
    output.note('remark')
    expect(stdout.text()).toBe('answer\n{"a":[1]}\n')
    expect(stderr.text()).toBe('remark\n')
    expect(output.answer.width()).toBeNull()
  })

  test('nobody reading any more is silent and aborts `closed`; another error is not swallowed', () => {
    const stdout = fakeStream()
    const output = createOutput({ stdout: () => stdout.stream, stderr: () => fakeStream().stream, env: {} })
    output.print('1')
    expect(output.closed.aborted).toBe(false)
    stdout.stream.emit('error', Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
    output.print('2')
    expect(stdout.text()).toBe('1\n')
    expect(output.closed.aborted).toBe(true)
    const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    expect(() => stdout.stream.emit('error', full)).toThrow('disk full')
  })

  test('drawing over is for terminals that can, outside of CI; a size of 0 is no size', () => {
    const terminal = fakeStream({ isTTY: true, columns: 0, rows: 0 }).stream
    const on = (env: Record<string, string>): ReturnType<typeof createOutput> =>
      createOutput({ stdout: () => terminal, stderr: () => terminal, env })
    expect(on({}).isLive).toBe(true)
    expect(on({ CI: 'true' }).isLive).toBe(false)
    expect(on({ TERM: 'dumb' }).isLive).toBe(false)
    expect(on({}).side.width()).toBe(80)
    expect(on({}).side.height()).toBe(24)
  })
})
