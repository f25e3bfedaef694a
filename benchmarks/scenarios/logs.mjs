// How many lines a second are recorded of services that write as fast as they can, next to what a terminal can take at most
// and to what others do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { megabytesOf } from '../memory.mjs'
import { findPeers } from '../peers.mjs'
import { median } from '../statistics.mjs'

const flood = fileURLToPath(new URL('../flood.pl', import.meta.url))
const lineBytes = 63

/** What is to be run: so many programs that write so many lines together. They begin at `begin` and end at `end`. */
function createJob({ count, lines }) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lf-')))
  const notes = Array.from({ length: count }, (_, n) => join(directory, `note${n}`))
  const [go, end] = [join(directory, 'go'), join(directory, 'end')]
  const each = Math.floor(lines / count)
  return {
    directory,
    lines: each * count,
    bytes: each * count * lineBytes,
    commands: notes.map((note) => `exec perl ${flood} ${each} ${note} ${go} ${end}`),
    env: { PATH: process.env.PATH, HOME: directory, LANG: 'C.UTF-8' },
    begin: () => writeFileSync(go, ''),
    /** Resolves once everything was written, and has the programs end: some managers stop all when one ends. */
    endFile: end,
    end: async (giveUp) => {
      const isOver = () => giveUp?.aborted === true || notes.every((note) => existsSync(note))
      while (!isOver()) await sleep(5)
      writeFileSync(end, '')
    },
    /** From the first one's begin to the last one's end, or to `until` (milliseconds since the epoch) if that is later. */
    rate: (until = 0) => {
      const times = notes.map((note) => readFileSync(note, 'utf8').trim().split(' ').map(Number))
      const begun = Math.min(...times.map(([begin]) => begin))
      const done = Math.max(until / 1000, ...times.map(([, end]) => end))
      return (each * count) / (done - begun)
    },
    dispose: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
  }
}

async function using(job, work) {
  try {
    return await work(job)
  } finally {
    job.dispose()
  }
}

/** The limit of the terminal itself: whoever reads it throws everything away. */
async function terminalLimit(size) {
  return await using(createJob(size), async (job) => {
    const children = job.commands.map((command) =>
      spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'ignore', 'ignore'] }),
    )
    const closed = children.map((child) => once(child, 'close'))
    await sleep(300)
    job.begin()
    await job.end()
    await Promise.all(closed)
    return job.rate()
  })
}

/** Until every byte is in the log: the exit is recorded after the last of them. */
async function recorded({ installation, size, followers = 0, tty = true, isCounted = false }) {
  return await using(createJob(size), async (job) => {
    const services = job.commands.map((command, n) => {
      return `[services.flood${n}]\ntype = "task"\ncommand = ${JSON.stringify(command)}\ntty = ${tty}\n`
    })
    const project = installation.project(
      `[logs]\nsegment_size = "10MB"\nsegments = 100\ntotal = "4GB"\n${services.join('')}`,
    )
    await project.locald('up', '--no-wait')
    const { keeper } = await installation.server()
    const readers = Array.from({ length: followers }, () => follow(installation, project))
    await Promise.all(readers.map((reader) => reader.started))
    job.begin()
    await job.end()
    await project.locald('wait', '--timeout', '5m')
    const memory = megabytesOf(keeper.pid, 'VmHWM')
    const last = String(job.lines / job.commands.length).padStart(11, '0')
    const ends = await Promise.all(job.commands.map((_, n) => endOf(project, `flood${n}`, last)))
    const end = Math.max(...ends)
    if (isCounted) await expectLines(installation, project, job.lines)
    const behindMs = followers === 0 ? 0 : await readers[0].caughtUp(job.lines, end)
    await Promise.all(readers.map((reader) => reader.end()))
    await project.locald('stop')
    return { rate: job.rate(end), memory, behindMs }
  })
}

/** When the last line was recorded, in milliseconds since the epoch. */
async function endOf(project, service, last) {
  const { stdout } = await project.locald('logs', service, '-n', '3', '--json')
  const lines = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const found = lines.find(({ text }) => text.startsWith(`${last} `))
  if (found === undefined) throw new Error(`The last line of ${service} is missing in the log`)
  return Date.parse(found.at)
}

/** The last line alone does not show that none is missing. */
async function expectLines(installation, project, count) {
  const { child, seen } = startLogs(installation, project)
  await once(child, 'close')
  if (seen.lines !== count) throw new Error(`${seen.lines} lines are in the log, and ${count} were written`)
}

/** `logs`, counting the lines of the programs. */
function startLogs(installation, project, ...options) {
  const child = installation.start(['logs', '--no-prefix', '--grep', '^[0-9]{11} ', ...options], project.root)
  const seen = { lines: 0 }
  child.stdout.on('data', (chunk) => {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) seen.lines += 1
  })
  return { child, seen }
}

function follow(installation, project) {
  const { child, seen } = startLogs(installation, project, '-f')
  return {
    // Long enough for it to connect; nothing is written yet that it could tell.
    started: sleep(700),
    caughtUp: async (count, since) => {
      while (seen.lines < count) {
        if (Date.now() - since > 60_000)
          throw new Error(`The follower has ${seen.lines} of ${count} lines after a minute`)
        await sleep(5)
      }
      return Date.now() - since
    },
    end: async () => {
      child.kill('SIGINT')
      await once(child, 'close')
    },
  }
}

/** Lines a second, or why there is no such number. */
async function ratePeer(peer, size) {
  return await using(createJob(size), async (job) => {
    const giveUp = AbortSignal.timeout(60_000)
    const running = peer.run(job, giveUp)
    await sleep(2000) // for all of them to be started, and to wait for the word
    job.begin()
    try {
      await Promise.all([job.end(giveUp), running])
      if (giveUp.aborted) throw new Error('it took more than a minute')
      // One that notes when its files have everything is measured by that.
      return { rate: job.rate((await running) ?? 0) }
    } catch (error) {
      return { skipped: error.message }
    } finally {
      writeFileSync(job.endFile, '')
      await running.catch(() => {})
    }
  })
}

/** Round by round, because the machine may have other work. What is promised is told by one terminal's limit. */
function ratiosOf(rates, least, limits, name) {
  const [[first]] = Object.entries(limits)
  const ratio = (of) => median(rates.map((rate, round) => rate / limits[of][round]))
  const promised = { what: '… ÷ the limit of one terminal', value: ratio(first), unit: '×', least }
  return name === first
    ? [promised]
    : [promised, { what: '… ÷ the limit of as many terminals', value: ratio(name), unit: '×' }]
}

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const sizes = [
    { name: 'one service', size: { count: 1, lines: quick ? 200_000 : 500_000 } },
    { name: 'ten services', size: { count: 10, lines: quick ? 400_000 : 1_000_000 } },
  ]
  const rounds = quick ? 2 : 5
  const rows = []
  let memory = 0
  const rates = {}
  const limits = {}
  for (const { name, size } of sizes) {
    const seen = { limit: [], alone: [], followed: [], behind: [], piped: [] }
    for (let round = 0; round < rounds; round += 1) {
      seen.limit.push(await terminalLimit(size))
      const alone = await recorded({ installation, size, isCounted: round === 0 })
      const followed = await recorded({ installation, size, followers: 1 })
      const piped = await recorded({ installation, size, tty: false })
      memory = Math.max(memory, alone.memory, followed.memory, piped.memory)
      seen.piped.push(piped.rate)
      seen.alone.push(alone.rate)
      seen.followed.push(followed.rate)
      seen.behind.push(followed.behindMs)
    }
    limits[name] = seen.limit
    rates[name] = { terminal: median(seen.alone), pipe: median(seen.piped) }
    const unit = 'lines/s'
    const ofTerminals = size.count === 1 ? 'the terminal' : `${size.count} terminals`
    rows.push(
      { what: `${name}: the limit of ${ofTerminals}, \`script -qc CMD /dev/null\``, value: median(seen.limit), unit },
      { what: `${name}: recorded, every byte in the log`, value: median(seen.alone), unit },
      ...ratiosOf(seen.alone, 0.75, limits, name),
      { what: `${name}: recorded, with a live \`logs -f\``, value: median(seen.followed), unit },
      ...ratiosOf(seen.followed, 0.5, limits, name),
      { what: '… the follower has all of it after the last was written by', value: median(seen.behind), unit: 'ms' },
      { what: `${name}: recorded from a pipe (\`tty = false\`)`, value: median(seen.piped), unit },
    )
  }
  rows.push({ what: 'most memory of the keeper in all of this', value: memory, unit: 'MB', limit: 110 })
  const folder = join(tmpdir(), 'locald-bench-peers')
  mkdirSync(folder, { recursive: true })
  for (const [peer, found] of Object.entries(findPeers(folder))) {
    for (const { name, size } of sizes) {
      if (found.missing !== undefined) {
        rows.push({ what: `${name}: ${peer}`, skipped: found.missing })
        continue
      }
      const seen = []
      for (let round = 0; round < Math.min(rounds, 3); round += 1) seen.push(await ratePeer(found, size))
      const failed = seen.find(({ skipped }) => skipped !== undefined)
      // hivemind records nothing, so that it is no measure.
      const bound = peer === 'hivemind' ? {} : { limit: rates[name][found.by] }
      const value = median(seen.map(({ rate }) => rate))
      const what = `${name}: ${peer}, by a ${found.by}`
      rows.push(failed === undefined ? { what, value, unit: 'lines/s', ...bound } : { what, skipped: failed.skipped })
    }
  }
  return rows
}
