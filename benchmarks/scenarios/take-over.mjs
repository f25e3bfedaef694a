// From the death of a daemon to the first answer of the next one, while twenty services run.
import { once } from 'node:events'
import { request } from 'node:http'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { now } from '../installation.mjs'
import { median, worst } from '../statistics.mjs'

/** More than five crashes within a minute, and the keeper would give up. */
const crashesAtOnce = 4
const crashMinuteMs = 61_000

async function ask(socket) {
  const asked = request({ socketPath: socket, path: '/v1/server', headers: { host: 'locald' }, agent: false })
  asked.end()
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const chunk of answer) text += chunk
  return JSON.parse(text)
}

function isAlive(pid) {
  try {
    return !/^State:\s+Z/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export async function measure({ installation, quick }) {
  const project = installation.project(
    Array.from({ length: 20 }, (_, n) => `[services.s${n}]\ntype = "worker"\ncommand = ["sleep", "1000"]\n`).join(''),
  )
  await project.locald('up')
  const before = (await project.services()).map(({ pid }) => pid)
  const times = []
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    if (round > 0) await sleep(crashMinuteMs)
    for (let crash = 0; crash < crashesAtOnce; crash += 1) {
      const { daemon } = await installation.server()
      const killedAt = now()
      process.kill(daemon.pid, 'SIGKILL')
      while (isAlive(daemon.pid)) await sleep(0.2)
      const answer = await ask(installation.socket)
      times.push(now() - killedAt)
      if (answer.daemon.pid === daemon.pid) throw new Error('The old daemon answered')
      await sleep(500)
    }
  }
  const after = (await project.services()).map(({ pid }) => pid)
  if (before.join() !== after.join()) throw new Error('A service was restarted')
  await project.locald('stop')
  return [
    { what: 'daemon killed → next one answers, 20 services, median', value: median(times), unit: 'ms', limit: 300 },
    { what: '… worst', value: worst(times), unit: 'ms' },
  ]
}
