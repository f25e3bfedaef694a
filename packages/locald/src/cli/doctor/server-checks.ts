// Checks of locald's own processes.
import { connect } from 'node:net'
import type { ServerStatus } from '@locald/protocol'
import type { Check } from '../../admin/doctor/examine.ts'
import { fault, fine, note, warning } from '../../admin/doctor/verdict.ts'
import type { Verdict } from '../../admin/doctor/verdict.ts'
import { isDaemonGivenUp, livingKeeper } from '../../client/living-keeper.ts'
import { isOlderVersion } from '../../lib/version-order.ts'
import type { CommandContext } from '../command.ts'

/** `server` rejects when the daemon does not answer. */
export function serverChecks(context: CommandContext, server: Promise<ServerStatus>): readonly Check[] {
  const status = async (): Promise<ServerStatus | null> => await server.catch(() => null)
  return [
    { id: 'server', look: async () => checkServer(context, await status()) },
    { id: 'server-version', look: async () => checkVersions(await status(), context.version) },
    { id: 'server-warnings', look: async () => checkWarnings(await status()) },
    { id: 'proxy', look: async () => await checkProxy(await status()) },
    { id: 'projects', look: async () => ((await status()) === null ? [] : await checkProjects(context)) },
  ]
}

function checkServer({ installation }: CommandContext, status: ServerStatus | null): Verdict {
  if (status !== null) return fine('The daemon answers')
  if (isDaemonGivenUp(installation)) {
    const explanation =
      'It ended again and again, so its keeper starts it no more. Services run on; "locald server start" shows its last words.'
    return fault('The daemon does not run, but its keeper does', { explanation, fix: 'locald server start' })
  }
  if (livingKeeper(installation) === null) return fine('The daemon does not run; commands start it when they need it')
  const explanation = 'Its keeper runs, and so do services. Either it has just been replaced, or it hangs.'
  return fault('The daemon does not answer', { explanation, fix: 'locald server restart' })
}

function checkVersions(status: ServerStatus | null, version: string): readonly Verdict[] {
  if (status === null) return []
  const { daemon, keeper } = status
  if (daemon !== null && isOlderVersion(daemon.version, version)) {
    const explanation = `This command is of version ${version}. Services keep running while the daemon is replaced.`
    return [warning(`The daemon is of version ${daemon.version}`, { explanation, fix: 'locald server restart' })]
  }
  if (keeper !== null && isOlderVersion(keeper.version, version)) {
    const explanation = `It runs since before the upgrade to ${version} and goes on working; what is new in it comes when everything was stopped once.`
    return [note(`The keeper is of version ${keeper.version}`, { explanation, fix: 'locald server stop' })]
  }
  return [fine(`Everything is of version ${version}`)]
}

function checkWarnings(status: ServerStatus | null): readonly Verdict[] {
  const explanation = 'The daemon found this at its start or since; its log says more.'
  return (status?.warnings ?? []).map((text) => warning(text, { explanation, fix: 'locald server status' }))
}

async function checkProxy(status: ServerStatus | null): Promise<readonly Verdict[]> {
  if (status === null) return []
  if (status.proxy === null) {
    const explanation =
      'Services are at their direct addresses only. A keeper that was started before names were served has no ports for them.'
    return [warning('Nothing is served by name', { explanation, fix: 'locald server stop' })]
  }
  const ports = [status.proxy.http, status.proxy.https]
  const dead = (await Promise.all(ports.map(async (port) => ((await accepts(port)) ? null : port)))).filter(
    (port) => port !== null,
  )
  if (dead.length === 0) return [fine(`Names are served at ports ${ports.join(' and ')}`)]
  const explanation = 'The daemon says that it serves there, and no connection comes about.'
  return [fault(`Nothing answers at port ${dead.join(', ')}`, { explanation, fix: 'locald server restart' })]
}

/** What `status` warns of: names that two projects want, ports that are taken. */
async function checkProjects({ client }: CommandContext): Promise<readonly Verdict[]> {
  const answer = await client().status({}, true)
  const projects = 'projects' in answer ? answer.projects : [answer]
  const explanation = '"locald status --all" shows it with its project.'
  return projects.flatMap(({ project, warnings }) =>
    warnings.map((text) => warning(`${project}: ${text}`, { explanation, fix: 'locald status --all' })),
  )
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2000 })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}
