// Looking for something in a gigabyte of logs, next to `grep` in a file of the same text.
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../statistics.mjs'

const gigabyte = 1e9
const methods = ['GET', 'POST', 'PUT', 'DELETE']

/** Requests as a server logs them; every hundredth failed. */
async function writeRequests(file, bytes) {
  const stream = createWriteStream(file)
  let [written, n] = [0, 0]
  while (written < bytes) {
    let text = ''
    for (let line = 0; line < 5000; line += 1, n += 1) {
      const item = String((n * 7919) % 100_000).padStart(5, '0')
      const status = n % 100 === 7 ? 500 : 200
      const time = new Date(1.7e12 + n).toISOString()
      text += `${time} info request ${String(n).padStart(8, '0')} ${methods[n % 4]} /api/items/${item} status=${status} took ${(n * 31) % 900}ms\n`
    }
    written += text.length
    if (!stream.write(text)) await new Promise((resolve) => stream.once('drain', resolve))
  }
  stream.end()
  await finished(stream)
  return n
}

const searches = [
  { name: 'a text that is there once', pattern: 'request 07777777 ' },
  { name: 'a text that is nowhere', pattern: 'request 0777777x ' },
  { name: 'an expression, some matches', pattern: 'items/012[0-9]+ status=500' },
  { name: 'a choice, some matches', pattern: 'request 0777777[0-9] |took 899ms' },
  { name: 'every hundredth line', pattern: 'status=500' },
]

export async function measure({ installation, quick }) {
  const project = installation.project(
    `[logs]\nsegment_size = "10MB"\nsegments = 1000\ntotal = "4GB"\n[services.big]\ntype = "task"\ntty = false\ncommand = "sh say.sh"\n`,
    { 'say.sh': 'exec cat big.log\n' },
  )
  const big = join(project.root, 'big.log')
  await writeRequests(big, quick ? gigabyte / 10 : gigabyte)
  await project.locald('up')
  const recordedAt = Date.now()
  const rows = []
  const ms = 'ms'
  const rounds = quick ? 2 : 5
  for (const { name, pattern } of searches) {
    const seen = { grep: [], locald: [], ratio: [] }
    for (let round = 0; round < rounds; round += 1) {
      const expected = await installation.run('grep', ['-E', pattern, big])
      const found = await project.locald('logs', '--no-prefix', '--grep', pattern)
      if (found.stdout !== expected.stdout) throw new Error(`locald finds other lines than grep for "${pattern}"`)
      seen.grep.push(expected.ms)
      seen.locald.push(found.ms)
      seen.ratio.push(found.ms / expected.ms)
    }
    const what = `\`logs --grep\` on 1 GB, ${name}`
    rows.push(
      { what, value: median(seen.locald), unit: ms },
      { what: '… `grep -E` in a file', value: median(seen.grep), unit: ms },
      { what: '… ÷ `grep`', value: median(seen.ratio), unit: '×', limit: 3 },
    )
  }
  const timed = async (...args) => {
    const results = []
    for (let round = 0; round < rounds; round += 1) results.push(await project.locald('logs', ...args))
    return { ms: median(results.map((result) => result.ms)), lines: results[0].stdout.split('\n').length - 1 }
  }
  rows.push({ what: '`logs -n 100` on 1 GB', value: (await timed('-n', '100')).ms, unit: ms })
  // Only what is said from here on is of the last minute.
  await sleep(Math.max(0, recordedAt + 61_000 - Date.now()))
  writeFileSync(join(project.root, 'say.sh'), 'exec seq 1 1000\n')
  await project.locald('stop')
  await project.locald('up')
  const recent = await timed('--since', '1m')
  if (recent.lines < 1000 || recent.lines > 1100) throw new Error(`"--since 1m" gave ${recent.lines} lines`)
  rows.push({ what: '`logs --since 1m` on 1 GB, 1,000 lines of it', value: recent.ms, unit: ms })
  return rows
}
