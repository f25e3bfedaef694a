import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogLine } from '@locald/protocol'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { indexName, indexSpacing, segmentNames } from '../lib/segment-format.ts'
import { LogFixture, linesIn } from './log-fixture.ts'
import { readLogs } from './read-logs.ts'

const t0 = Date.parse('2026-01-02T03:04:05.000Z')

function numbered(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `line ${String(from + i)}\n`).join('')
}

async function segmentFiles(directory: string): Promise<string[]> {
  return segmentNames(await readdir(directory)).map(({ name }) => join(directory, name))
}

describe('readLogs()', () => {
  test('gives nothing of a stream that was never recorded', async () => {
    await using logs = await LogFixture.create()
    expect(await logs.read('web')).toEqual([])
    expect(await logs.read('web', { tail: 5, since: t0, run: -1 })).toEqual([])
  })

  test('gives lines with time, service, stream and run', async () => {
    await using logs = await LogFixture.create()
    await logs.record('web', { type: 'run.started', pid: 42 }, { at: t0, run: 7 })
    await logs.output('web', 'hello\r\n', { at: t0 + 1.75, run: 7 })
    expect(await logs.read('web')).toEqual([
      { at: '2026-01-02T03:04:05.000Z', service: 'web', stream: 'locald', run: 7, text: 'started with pid 42' },
      {
        at: '2026-01-02T03:04:05.001Z',
        service: 'web',
        stream: 'pty',
        run: 7,
        text: 'hello',
        cursor: expect.any(String) as string,
      },
    ])
  })

  test('says in words what locald recorded', async () => {
    await using logs = await LogFixture.create()
    const records = [
      { type: 'run.exited', code: 3, signal: null },
      { type: 'run.exited', code: null, signal: 'SIGKILL' },
      { type: 'run.refused', message: 'command not found: foo' },
      { type: 'health.healthy', source: 'tcp' },
      { type: 'health.unhealthy', source: 'http', message: 'status 500\nnot 200' },
      { type: 'something.new', text: 'told by a newer version' },
      { type: 'something.new', count: 1 },
    ]
    for (const record of records) await logs.record('web', record)
    expect(await logs.texts('web')).toEqual([
      'exited with code 3',
      'terminated by SIGKILL',
      'not started: command not found: foo',
      'healthy (tcp)',
      'unhealthy (http): status 500 not 200',
      'told by a newer version',
      '{"type":"something.new","count":1}',
    ])
  })

  test('keeps stdout and stderr apart, in the order their lines were completed', async () => {
    await using logs = await LogFixture.create()
    await logs.output('web', 'out ', { stream: 'stdout', at: t0 })
    await logs.output('web', 'err\n', { stream: 'stderr', at: t0 + 10 })
    await logs.output('web', 'put\n', { stream: 'stdout', at: t0 + 20 })
    const lines = await logs.read('web')
    expect(lines.map(({ stream, text }) => [stream, text])).toEqual([
      ['stderr', 'err'],
      ['stdout', 'out put'],
    ])
  })

  test('merges several streams in the order of time', async () => {
    await using logs = await LogFixture.create()
    for (let i = 0; i < 30; i++) await logs.output(`s${String(i % 3)}`, `line ${String(i)}\n`, { at: t0 + i * 10 })
    const lines = await logs.read(['s0', 's1', 's2'])
    expect(lines.map(({ text }) => text)).toEqual(numbered(30).trim().split('\n'))
    expect(lines.map(({ service }) => service)).toEqual(lines.map((_, i) => `s${String(i % 3)}`))
  })

  test('gives a line that is not complete at the end, and its rest to who goes on', async () => {
    await using logs = await LogFixture.create()
    await logs.output('web', 'Password: ')
    const [part] = await logs.read('web')
    expect(part?.text).toBe('Password: ')
    await logs.output('web', '\nwelcome\nand more')
    expect(await logs.texts('web', { cursor: part?.cursor ?? '' })).toEqual(['welcome', 'and more'])
    expect(await logs.texts('web')).toEqual(['Password: ', 'welcome', 'and more'])
  })

  test('shows the last state of a line that is written over, and 100 MB of it as one line', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 1024 * 1024, segments: 1000 })
    const writer = logs.writer('web')
    const bytes = Buffer.from(Array.from({ length: 6000 }, (_, i) => `\r${String(i % 100).padStart(2)} %`).join(''))
    for (let i = 0; i < 100; i++)
      if (!writer.append({ kind: 'output', stream: 'pty', run: 1, at: t0, bytes })) await writer.drained()
    await logs.output('web', '\rdone\r\nnext\n')
    expect(await logs.texts('web')).toEqual(['done', 'next'])
  })

  test('cuts lines of more than 64 KiB', async () => {
    await using logs = await LogFixture.create()
    await logs.output('web', `${'é'.repeat(100_000)}\nnext\n`)
    const texts = await logs.texts('web')
    expect(texts.map((text) => Buffer.byteLength(text))).toEqual([65536, 65536, 65536, 200_000 - 3 * 65536, 4])
    expect(texts.slice(0, -1).join('')).toBe('é'.repeat(100_000))
  })

  describe('tail', () => {
    test('counts over all streams', async () => {
      await using logs = await LogFixture.create()
      for (let i = 0; i < 40; i++)
        await logs.output(i % 4 === 0 ? 'a' : 'b', `line ${String(i)}\n`, { at: t0 + i * 10 })
      for (const tail of [0, 1, 3, 10, 39, 40, 100]) {
        const all = numbered(40).trim().split('\n')
        expect(await logs.texts(['a', 'b'], { tail })).toEqual(tail === 0 ? [] : all.slice(-tail))
      }
    })

    test('gives the same as reading everything would at its end, whatever was recorded', async () => {
      const chunk = fc.record({
        label: fc.constantFrom('a', 'b'),
        stream: fc.constantFrom('stdout' as const, 'stderr' as const),
        text: fc.constantFrom('x\n', 'yy', '\n', `${'z'.repeat(50_000)}\n`, 'w'.repeat(30_000), '\r'),
        newRun: fc.nat(12),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(chunk, { maxLength: 60 }), fc.nat(25), async (chunks, tail) => {
          await using logs = await LogFixture.create({ segmentBytes: 400_000, segments: 100 })
          let run = 1
          for (const [index, { label, stream, text, newRun }] of chunks.entries()) {
            if (newRun === 0) run++
            await logs.output(label, text, { stream, run, at: t0 + index * 10 })
          }
          const shape = ({ at, service, stream, text }: LogLine): unknown => [at, service, stream, text]
          const all = (await logs.read(['a', 'b'])).map(shape)
          const last = (await logs.read(['a', 'b'], { tail })).map(shape)
          expect(last).toEqual(tail === 0 ? [] : all.slice(-tail))
        }),
        { numRuns: 40 },
      )
    })

    test('finds lines far back when few match', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 300_000, segments: 100 })
      await logs.output('web', 'the needle\n', { at: t0 })
      for (let i = 0; i < 20; i++) await logs.output('web', numbered(10_000), { at: t0 + 1000 + i * 10 })
      expect(await logs.texts('web', { tail: 2, grep: /needle/ })).toEqual(['the needle'])
    })
  })

  describe('since and until', () => {
    test.each([true, false])('find the lines of that time in many segments (index files kept: %s)', async (kept) => {
      await using logs = await LogFixture.create({ segmentBytes: 300_000, segments: 100 })
      for (let i = 0; i < 2000; i++) {
        logs.writer('web').append({
          kind: 'output',
          stream: 'pty',
          run: 1,
          at: t0 + i * 1000,
          bytes: Buffer.from(`line ${String(i)} ${'x'.repeat(500)}\n`),
        })
        if (i % 100 === 0) await logs.writer('web').flush()
      }
      await logs.closeWriter('web')
      const files = await segmentFiles(logs.source('web').directory)
      expect(files.length).toBeGreaterThan(3)
      if (!kept) for (const file of files) await rm(indexName(file), { force: true })
      const numbers = async (query: object): Promise<number[]> =>
        (await logs.texts('web', query)).map((text) => Number(text.split(' ')[1]))
      expect(await numbers({ since: t0 + 1_234_000 })).toEqual(Array.from({ length: 766 }, (_, i) => 1234 + i))
      expect(await numbers({ until: t0 + 5000 })).toEqual([0, 1, 2, 3, 4, 5])
      expect(await numbers({ since: t0 + 700_500, until: t0 + 703_000 })).toEqual([701, 702, 703])
      expect(await numbers({ until: t0 + 900_000, tail: 2 })).toEqual([899, 900])
      expect(await numbers({ since: t0 + 900_000, until: t0 + 901_000, tail: 5 })).toEqual([900, 901])
      expect(await numbers({ since: t0 + 9_000_000 })).toEqual([])
    })

    test('take what a line shows: whole milliseconds', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', 'line\n', { at: t0 + 0.9 })
      expect(await logs.texts('web', { since: t0, until: t0 })).toEqual(['line'])
      expect(await logs.texts('web', { since: t0 + 1 })).toEqual([])
    })
  })

  describe('grep', () => {
    test('refuses an expression that would try for ever, instead of holding everything up', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', `first\n${'a'.repeat(100)}!\n`)
      const began = performance.now()
      await expect(logs.texts('web', { grep: /^(a+)+$/u })).rejects.toMatchObject({ code: 'usage' })
      expect(performance.now() - began).toBeLessThan(5000)
      expect(await logs.texts('web', { grep: /^(f|g)irst/u })).toEqual(['first'])
    })

    test('gives the lines that match as they are shown, whatever their colours', async () => {
      await using logs = await LogFixture.create()
      await logs.output(
        'web',
        'plain ERROR here\nfine\n\u001b[31mERR\u001b[1mOR\u001b[0m in colour\nERROR\rgone\r\nünï ERROR',
      )
      expect(await logs.texts('web', { grep: /error/i })).toEqual([
        'plain ERROR here',
        '\u001b[31mERR\u001b[1mOR\u001b[0m in colour',
        'ünï ERROR',
      ])
    })

    test.each([
      /^b/,
      /b$/,
      /^$/,
      /^a.c$/m,
      /a\sb/,
      /[^x]b/,
      /a(?!\nb)/,
      /(?<=^)c/g,
      /./y,
      /^.b|c$/,
      /b/,
      /abc/,
      /c?b/,
      /ö/,
      /[\r\n]?b/,
    ])('gives for %s what it gives for each line alone', async (grep) => {
      await using logs = await LogFixture.create()
      const plain = ['', 'abc', 'b', '', 'a', 'b a', 'a b', 'cab', 'xb', 'c', '', 'cc']
      // Text of ASCII alone is searched in another way than text with other characters, and than text with escapes.
      const texts = [plain, [...plain, 'öb'], [...plain, '\u001b[1mbc\u001b[0m', 'öb']]
      const lines = texts.flat()
      for (const [run, text] of texts.entries()) {
        await logs.output('web', text.map((line) => `${line}\r\n`).join(''), { run })
      }
      // oxlint-disable-next-line no-control-regex -- control characters are the subject
      const visible = (line: string): string => line.replaceAll(/\u001b\[\d+m/g, '')
      const alone = new RegExp(grep.source, grep.flags.replaceAll(/[gy]/g, ''))
      expect(await logs.texts('web', { grep })).toEqual(lines.filter((line) => alone.test(visible(line))))
    })
  })

  describe('run', () => {
    test('gives one run, counted from the first or from the newest', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 100_000, segments: 100 })
      for (let run = 1; run <= 9; run++) {
        for (let i = 0; i < 5; i++) await logs.output('web', `run ${String(run)} ${'x'.repeat(10_000)}\n`, { run })
        await logs.output('web', `open end of ${String(run)}`, { run })
      }
      const runs = async (run: number): Promise<string[]> =>
        (await logs.texts('web', { run })).map((text) => text.slice(0, 13))
      const expected = (run: number): string[] => [
        ...Array.from({ length: 5 }, () => `run ${String(run)} xxxxxxx`),
        `open end of ${String(run)}`,
      ]
      for (const run of [1, 4, 9]) expect(await runs(run)).toEqual(expected(run))
      expect(await runs(-1)).toEqual(expected(9))
      expect(await runs(-3)).toEqual(expected(7))
      expect(await runs(-20)).toEqual([])
      expect(await logs.texts('web', { run: 5, tail: 1 })).toEqual(['open end of 5'])
    })
  })

  describe('cursor', () => {
    test('goes on without a line lost or doubled, wherever reading was cut', async () => {
      const chunk = fc.record({
        label: fc.constantFrom('a', 'b'),
        stream: fc.constantFrom('stdout' as const, 'stderr' as const),
        text: fc.array(fc.constantFrom('x', 'yy\n', '\n', 'é', '🎉', '\r', '\r\n'), { minLength: 1, maxLength: 8 }),
        newRun: fc.nat(12),
        readsHere: fc.nat(3),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(chunk, { maxLength: 40 }), fc.boolean(), async (chunks, restarts) => {
          await using logs = await LogFixture.create({ segmentBytes: 4096, segments: 1000 })
          const read: LogLine[] = []
          let cursor: string | undefined
          const readOn = async (): Promise<void> => {
            const lines = await logs.read(['a', 'b'], cursor === undefined ? {} : { cursor })
            read.push(...lines)
            cursor = lines.at(-1)?.cursor ?? cursor
          }
          let run = 1
          const written = new Map<string, string>()
          for (const [index, { label, stream, text, newRun, readsHere }] of chunks.entries()) {
            if (newRun === 0) run++
            await logs.output(label, text.join(''), { stream, run, at: t0 + index * 10 })
            const key = `${label} ${stream} ${String(run)}`
            written.set(key, (written.get(key) ?? '') + text.join(''))
            if (readsHere === 0) await readOn()
            if (restarts && readsHere === 1) await logs.closeWriter(label)
          }
          await readOn()
          await readOn()
          for (const [key, text] of written) {
            const lines = read.filter((line) => `${line.service} ${line.stream} ${String(line.run)}` === key)
            // Parts of lines that were shown early stay shown, so only what no return wrote over can be compared.
            if (text.includes('\r')) continue
            expect(lines.map((line) => line.text).join('')).toBe(text.replaceAll('\n', ''))
          }
        }),
        { numRuns: 60 },
      )
    })

    test('comes with the last line and spans all streams, also those without a line so far', async () => {
      await using logs = await LogFixture.create()
      await logs.output('a', 'a1\na2\n', { at: t0 })
      const lines = await logs.read(['a', 'b', 'c'])
      expect(lines.map(({ cursor }) => cursor !== undefined)).toEqual([false, true])
      await logs.output('b', 'b1\n', { at: t0 + 1 })
      await logs.output('a', 'a3\n', { at: t0 + 2 })
      expect(await logs.texts(['a', 'b', 'c'], { cursor: lines[1]?.cursor ?? '' })).toEqual(['b1', 'a3'])
    })

    test('is refused when it is none', async () => {
      await using logs = await LogFixture.create()
      for (const cursor of ['', 'nonsense', Buffer.from('{"v":1,"s":{"x":[-1]}}').toString('base64url')]) {
        await expect(logs.read('web', { cursor })).rejects.toMatchObject({ code: 'request_invalid' })
      }
    })

    test('of a log that was deleted since reads all of the new one', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', numbered(100))
      const cursor = (await logs.read('web')).at(-1)?.cursor ?? ''
      await logs.closeWriter('web')
      await rm(logs.source('web').directory, { recursive: true })
      await logs.output('web', 'anew\n')
      expect(await logs.texts('web', { cursor })).toEqual(['anew'])
    })
  })

  describe('what is missing', () => {
    test('is told where older segments were removed', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 8192, segments: 2 })
      await logs.output('web', numbered(10))
      const cursor = (await logs.read('web')).at(-1)?.cursor ?? ''
      for (let i = 1; i < 400; i++) await logs.output('web', numbered(10, i * 10), { at: t0 + i * 10 })
      const texts = await logs.texts('web')
      expect(texts[0]).toMatch(/^\d+ bytes of older log were removed to keep it within its limits$/)
      expect(texts.slice(1).join('\n')).toBe(numbered(4000).trim().slice(-texts.slice(1).join('\n').length))
      const [first, ...rest] = await logs.texts('web', { cursor })
      expect(first).toMatch(/^\d+ bytes of older log were removed/)
      expect(rest).toEqual(texts.slice(1))
    })

    test('is told where bytes are damaged, and reading goes on at the next place that is known', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 100_000_000, segments: 2 })
      for (let i = 0; i < 40; i++) await logs.output('web', numbered(1000, i * 1000), { at: t0 + i * 10 })
      await logs.closeWriter('web')
      const [file = ''] = await segmentFiles(logs.source('web').directory)
      const handle = await open(file, 'r+')
      await handle.write(Buffer.alloc(100), 0, 100, 0)
      await handle.close()
      const texts = await logs.texts('web')
      expect(texts[0]).toMatch(/^\d+ bytes of the log are damaged and cannot be shown$/)
      expect(Number(texts[0]?.split(' ')[0])).toBeLessThan(2 * indexSpacing)
      expect(texts.at(-1)).toBe('line 39999')
      expect(texts.length).toBeGreaterThan(30_000)
    })

    test('is told where output could not be recorded', async () => {
      await using logs = await LogFixture.create()
      const bytes = Buffer.from('{"reason":"ENOSPC","bytes":123,"frames":4}')
      logs.writer('web').append({ kind: 'gap', stream: 'none', run: 1, at: t0, bytes })
      await logs.output('web', 'after\n', { at: t0 })
      expect(await logs.texts('web')).toEqual([
        '123 bytes of output in 4 chunks are missing here: the disk was full',
        'after',
      ])
    })

    test('is not a frame that is torn at the end: it is left out until it is whole', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', 'first\n', { at: t0 })
      await logs.output('web', 'second\n', { at: t0 + 100 })
      await logs.closeWriter('web')
      const [file = ''] = await segmentFiles(logs.source('web').directory)
      const bytes = await readFile(file)
      const boundary = 28 + 6
      for (let size = boundary; size < bytes.length; size++) {
        await writeFile(file, bytes.subarray(0, size))
        expect(await logs.texts('web')).toEqual(['first'])
      }
    })
  })

  describe('follow', () => {
    test('gives what is recorded, then what is being recorded, also of a stream that does not exist yet', async () => {
      await using logs = await LogFixture.create()
      await logs.output('a', 'a1\n', { at: t0 })
      await using lines = logs.following(['a', 'b'])
      expect(await lines.texts(1)).toEqual(['a1'])
      await logs.output('b', 'b1\n')
      expect(await lines.texts(1)).toEqual(['b1'])
      await logs.output('a', 'a2\n')
      expect(await lines.texts(1)).toEqual(['a2'])
    })

    test('with tail begins with the last lines; with 0 only what is new', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', numbered(10))
      await using two = logs.following('web', { tail: 2 })
      await using none = logs.following('web', { tail: 0 })
      const next = none.texts(2)
      expect(await two.texts(2)).toEqual(['line 8', 'line 9'])
      await logs.record('web', { type: 'run.exited', code: 0, signal: null })
      await logs.output('web', 'new\n', { run: 2 })
      expect(await two.texts(2)).toEqual(['exited with code 0', 'new'])
      expect(await next).toEqual(['exited with code 0', 'new'])
    })

    test('shows a prompt after a short silence, and its rest when it comes', async () => {
      await using logs = await LogFixture.create()
      await using lines = logs.following('web')
      const first = lines.texts(1)
      await logs.output('web', 'Password: ')
      expect(await first).toEqual(['Password: '])
      await logs.output('web', '\nwelcome\n')
      expect(await lines.texts(1)).toEqual(['welcome'])
    })

    test('finds a line that came in pieces with a silence between them, and shows a prompt that matches', async () => {
      await using logs = await LogFixture.create()
      await using lines = logs.following(['web', 'other'], { grep: /^number \d+ |Password/u })
      await logs.output('web', 'num')
      await logs.output('other', 'Password: ')
      // Then the silence of the one that was written first is over, too.
      expect(await lines.texts(1)).toEqual(['Password: '])
      await logs.output('web', 'ber 7 is here\n')
      expect(await lines.texts(1)).toEqual(['number 7 is here'])
    })

    test('shows progress that is written over and never rests', async () => {
      await using logs = await LogFixture.create()
      await using lines = logs.following('web')
      let percent = 0
      const timer = setInterval(() => {
        const bytes = Buffer.from(`\r${String(percent++)} %`)
        logs.writer('web').append({ kind: 'output', stream: 'pty', run: 1, at: Date.now(), bytes })
      }, 20)
      try {
        for (const line of await lines.take(2)) expect(line.text).toMatch(/^\d+ %$/)
      } finally {
        clearInterval(timer)
      }
    })

    test('goes on through restarts of the service and of the writer, and through many segments', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 8192, segments: 1000 })
      await using lines = logs.following('web')
      const reading = lines.texts(3000)
      for (let i = 0; i < 300; i++) {
        await logs.output('web', numbered(10, i * 10), { run: 1 + Math.floor(i / 50) })
        if (i % 30 === 0) await logs.closeWriter('web')
      }
      expect(await reading).toEqual(numbered(3000).trim().split('\n'))
    })

    test('of a reader that is slower than the writer tells what was removed before it came there', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 4096, segments: 2 })
      await logs.output('web', 'first\n')
      await using lines = logs.following('web')
      expect(await lines.texts(1)).toEqual(['first'])
      for (let i = 0; i < 300; i++) await logs.output('web', numbered(10, i * 10))
      await logs.output('web', 'last\n')
      const texts: string[] = []
      while (texts.at(-1) !== 'last') texts.push(...(await lines.texts(1)))
      expect(texts.filter((text) => /bytes of older log were removed/.test(text))).toHaveLength(1)
    })

    test('loses nothing when connections break at any line', async () => {
      await using logs = await LogFixture.create({ segmentBytes: 16_384, segments: 1000 })
      const expected = numbered(2000).trim().split('\n')
      const writing = (async () => {
        for (let i = 0; i < 200; i++) await logs.output(i % 2 === 0 ? 'a' : 'b', numbered(10, i * 10), { at: t0 + i })
      })()
      const read: string[] = []
      let cursor: string | undefined
      while (read.length < expected.length) {
        await using lines = logs.following(['a', 'b'], cursor === undefined ? {} : { cursor })
        // A reader only knows where it stands at a line that has a cursor; what came after it is read again.
        const seen: LogLine[] = []
        do seen.push(...(await lines.take(1)))
        while (seen.at(-1)?.cursor === undefined)
        read.push(...seen.map(({ text }) => text))
        cursor = seen.at(-1)?.cursor
      }
      await writing
      const number = (text: string): number => Number(text.split(' ')[1])
      expect(read.sort((a, b) => number(a) - number(b))).toEqual(expected)
    })

    test('ends with what was written up to a time', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', 'before\n')
      const until = Date.now() + 300
      const reading = logs.following(['web', 'silent'], { until })
      await logs.output('web', 'within\n', { at: until - 1 })
      await logs.output('web', 'after\n', { at: until + 1 })
      expect(await reading.texts(2)).toEqual(['before', 'within'])
      await expect(reading.texts(1)).rejects.toThrow('Following ended after 0 lines')
      expect(Date.now()).toBeGreaterThanOrEqual(until)
      const later = logs.following('web', { until: Date.now() + 10 ** 11, tail: 1 })
      expect(await later.texts(1)).toEqual(['after'])
      await logs.output('web', 'now\n')
      expect(await later.texts(1)).toEqual(['now'])
      await later[Symbol.asyncDispose]()
    })

    test('ends when the signal aborts, while waiting and while reading', async () => {
      await using logs = await LogFixture.create()
      await logs.output('web', numbered(5))
      const abort = new AbortController()
      const texts: string[] = []
      for await (const batch of readLogs([logs.source('web')], {}, logs.follow(abort.signal))) {
        texts.push(...linesIn(batch).map(({ text }) => text))
        if (texts.length === 5) setImmediate(() => abort.abort())
      }
      expect(texts).toHaveLength(5)
      for await (const batch of readLogs([logs.source('web')], {}, logs.follow(abort.signal))) {
        texts.push(...linesIn(batch).map(({ text }) => text))
      }
      expect(texts).toHaveLength(5)
    })
  })
})

describe('what the disk refuses', () => {
  test('is read behind what it took, with its gap, and only once when it is written at last', async () => {
    await using logs = await LogFixture.create({ segmentBytes: 1, segments: 1000 }, 100_000)
    const writer = logs.writer('web')
    const say = (text: string, at: number, run = 1): void => {
      writer.append({ kind: 'output', stream: 'pty', run, at, bytes: Buffer.from(text) })
    }
    say('one\ntwo\n', 1000)
    await writer.flush()
    const following = logs.following('web')
    expect(await following.texts(2)).toEqual(['one', 'two'])

    await logs.refuse('web')
    say('three\n', 2000)
    await writer.flush()
    expect(writer.failing).toBe(true)
    expect(await following.texts(1)).toEqual(['three'])
    say('four\n', 3000, 2)
    await writer.flush()
    expect(await logs.texts('web')).toEqual(['one', 'two', 'three', 'four'])
    expect(await logs.texts('web', { tail: 3 })).toEqual(['two', 'three', 'four'])
    expect(await logs.texts('web', { since: 2500 })).toEqual(['four'])
    expect(await logs.texts('web', { until: 2500 })).toEqual(['one', 'two', 'three'])
    expect(await logs.texts('web', { run: -1 })).toEqual(['four'])
    expect(await logs.texts('web', { run: 1 })).toEqual(['one', 'two', 'three'])
    expect(await logs.texts('web', { grep: /o/u })).toEqual(['one', 'two', 'four'])
    const [, , third] = await logs.read('web')
    const fourth = (await logs.read('web')).at(-1)
    expect(third?.text).toBe('three')
    expect(await logs.texts('web', { cursor: fourth?.cursor ?? '' })).toEqual([])
    expect(await following.texts(1)).toEqual(['four'])

    // More than the ring holds: what comes first is lost, to readers as on the disk.
    for (let i = 0; i < 200; i++) say(`${String(i).padStart(3, '0')} ${'x'.repeat(1000)}\n`, 4000 + i * 10, 2)
    await writer.flush()
    const shown = await logs.texts('web')
    const lost = shown.findIndex((text) => text.includes('bytes of output in'))
    expect(shown.slice(0, lost)).toEqual(['one', 'two'])
    expect(shown.at(-1)).toMatch(/^199 x/)
    const more = await following.take(shown.length - lost)
    expect(more.map(({ text }) => text)).toEqual(shown.slice(lost))
    const last = (await logs.read('web')).at(-1)

    await logs.accept('web')
    say('after\n', 9000, 2)
    expect(await writer.flush()).toBe(true)
    expect(writer.failing).toBe(false)
    expect(await following.texts(1)).toEqual(['after'])
    expect(await logs.texts('web')).toEqual([...shown, 'after'])
    expect(await logs.texts('web', { cursor: last?.cursor ?? '' })).toEqual(['after'])
    await following[Symbol.asyncDispose]()
  })
})
