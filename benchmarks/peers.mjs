// Other programs that run the processes of a Procfile, as far as they are there: on the PATH, or got from npm on the spot.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How each is started in a directory with a Procfile, and what it reads from; it ends when what it runs has ended. */
const managers = {
  foreman: { args: ['start'], by: 'pipe' },
  goreman: { args: ['-exit-on-stop', 'start'], by: 'pipe' },
  hivemind: { args: ['Procfile'], by: 'terminal' },
  overmind: { args: ['start'], by: 'terminal' },
}

/**
 * Peers by name: `{ run }`, which runs commands in `directory` to their end, or until it is to give up, and has recorded or
 * shown all they wrote when it resolves, with the time of that if it knows it; or `{ missing }`, why it cannot be had.
 */
export function findPeers(directory) {
  const peers = Object.entries(managers).map(([name, { args, by }]) => {
    const program = onPath(name)
    if (program === null) return [name, { missing: 'not on the PATH' }]
    return [name, { by, run: (job, giveUp) => runManager(program, args, job, giveUp) }]
  })
  return Object.fromEntries([...peers, ['pm2', findPm2(directory)]])
}

function onPath(name) {
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** What it shows goes where nobody looks, as with `script`. */
async function runManager(program, args, { commands, directory, env }, giveUp) {
  const lines = commands.map((command, index) => `flood${index}: ${command}\n`)
  writeFileSync(join(directory, 'Procfile'), lines.join(''))
  const child = spawn(program, args, { cwd: directory, env, stdio: 'ignore', detached: true })
  const kill = () => process.kill(-child.pid, 'SIGKILL')
  giveUp.addEventListener('abort', kill)
  await once(child, 'close')
  giveUp.removeEventListener('abort', kill)
}

function findPm2(directory) {
  const known = onPath('pm2')
  if (known !== null) return { by: 'pipe', run: (job, giveUp) => runPm2(known, job, giveUp) }
  const folder = join(directory, 'pm2')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  const { status } = spawnSync('npm', ['install', 'pm2', '--no-fund', '--no-audit'], { cwd: folder, timeout: 120_000 })
  const program = join(folder, 'node_modules/.bin/pm2')
  if (status !== 0 || !existsSync(program)) return { missing: 'npm cannot install it' }
  return { by: 'pipe', run: (job, giveUp) => runPm2(program, job, giveUp) }
}

/** It runs things in the background and writes what they say to files: done when those have it all. */
async function runPm2(program, { commands, directory, env, bytes }, giveUp) {
  const logs = join(directory, 'logs')
  const own = { ...env, PM2_HOME: join(directory, 'home') }
  const pm2 = async (...args) => {
    const child = spawn(program, args, { cwd: directory, env: own, stdio: 'ignore' })
    await once(child, 'close')
  }
  const apps = commands.map((command, index) => ({
    name: `flood${index}`,
    script: 'sh',
    args: ['-c', command],
    interpreter: 'none',
    autorestart: false,
    out_file: join(logs, `${index}.log`),
    error_file: join(logs, 'errors.log'),
  }))
  writeFileSync(join(directory, 'apps.json'), JSON.stringify({ apps }))
  try {
    await pm2('start', 'apps.json')
    while (sizeOf(logs) < bytes && !giveUp.aborted) await sleep(5)
    const doneAt = Date.now()
    if (sizeOf(logs) < bytes) throw new Error(`its files had ${sizeOf(logs)} of ${bytes} bytes after a minute`)
    return doneAt
  } finally {
    await pm2('kill')
  }
}

function sizeOf(folder) {
  if (!existsSync(folder)) return 0
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
