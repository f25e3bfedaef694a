// `locald server stop`: services first, then the daemon and the keeper.
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes, LocaldError, projectEvent } from '@locald/protocol'
import type { ProjectStatus, ServiceProcesses } from '@locald/protocol'
import type { ApiClient } from '../../client/api-client.ts'
import { livingKeeper } from '../../client/living-keeper.ts'
import { aliveLines } from '../alive-lines.ts'
import { AliveWatch } from '../alive-watch.ts'
import type { CommandContext } from '../command.ts'
import { ChangeLines } from '../output/progress.ts'
import { labelIn } from '../output/service-words.ts'
import { askIfThere } from '../without-daemon.ts'

/** Longer than services get when the keeper ends them by itself; mostly it has only to let go of its files. */
const keeperGoneWithinMs = 30_000

export async function serverStop(context: CommandContext): Promise<number> {
  const { output } = context
  const before = await askIfThere(context, (client) => client.server())
  const { daemon, keeper } = before?.value ?? {}
  const pids = before === null ? endKeeper(context) : [daemon?.pid, keeper?.pid].flatMap((pid) => pid ?? [])
  if (pids.length === 0) {
    output.note('The daemon is not running')
    return exitCodes.ok
  }
  if (before !== null) await stopDaemon(context)
  const remaining = await remainingProcesses(pids, keeperGoneWithinMs)
  if (remaining.length === 0) {
    output.note('Stopped the daemon')
    return exitCodes.ok
  }
  output.note(`error: Still running: ${remaining.map((pid) => `pid ${pid}`).join(', ')}`)
  return exitCodes.failed
}

/** A daemon that cannot do as it is asked must not keep its services from being stopped. */
async function stopDaemon(context: CommandContext): Promise<void> {
  try {
    await watchStopping(context, context.client())
  } catch (error) {
    if (!(error instanceof LocaldError)) throw error
    context.output.note(`${context.output.side.style.yellow('warning:')} ${error.message}`)
    endKeeper(context)
  }
}

/** Tells a keeper whose daemon is of no help to stop services and itself; returns its pid, if there is one. */
function endKeeper({ installation, output }: CommandContext): readonly number[] {
  const pid = livingKeeper(installation)
  if (pid === null) return []
  output.note('The daemon does not answer as it should; its keeper stops the services')
  // The journal still has them up. Without this the next daemon would bring them back.
  writeFileSync(installation.stoppedMark, '', { mode: 0o600 })
  process.kill(pid, 'SIGTERM')
  return [pid]
}

/** Which of these processes are left after they had some time to go. */
async function remainingProcesses(pids: readonly number[], withinMs: number): Promise<readonly number[]> {
  const deadline = Date.now() + withinMs
  let remaining = pids.filter(isRunning)
  while (remaining.length > 0 && Date.now() < deadline) {
    await sleep(10)
    remaining = remaining.filter(isRunning)
  }
  return remaining
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    // Where nobody reaps orphans (a container without an init), it stays as a zombie.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

/** Shows what stops, until the daemon has gone. */
async function watchStopping(context: CommandContext, client: ApiClient): Promise<void> {
  const { output, now } = context
  const changes = new ChangeLines()
  let projects: readonly ProjectStatus[] = []
  let isFirst = true
  using _alive = new AliveWatch({ ask: async () => await aliveOf(projects, client), onAlive: aliveLines(context) })
  for await (const event of client.events({}, { isOnce: true })) {
    projects = event.type === 'snapshot' ? event.projects : projectEvent(projects, event)
    if (isFirst) await client.stopServer()
    for (const project of projects) {
      for (const snapshot of project.services) {
        const label = `${project.project} ${labelIn(project.services, snapshot)}`
        if (isFirst) changes.skip(label, snapshot)
        const line = changes.next(label, snapshot, now())
        if (line !== null) output.note(line)
      }
    }
    isFirst = false
  }
}

/** Of every project of which something is being stopped. */
async function aliveOf(projects: readonly ProjectStatus[], client: ApiClient): Promise<readonly ServiceProcesses[]> {
  const stopping = projects.filter(({ services }) => services.some(({ state }) => state === 'stopping'))
  const answers = stopping.map(async ({ project, root }) => {
    const { services } = await client.processes({ dir: root }, [])
    return services.map((each) => ({ ...each, service: `${project} ${each.service}` }))
  })
  return (await Promise.all(answers)).flat()
}
