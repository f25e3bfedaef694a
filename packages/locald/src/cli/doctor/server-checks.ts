// Checks of locald's own processes.
import type { ServerStatus } from '@locald/protocol'
import type { Check } from '../../admin/doctor/examine.ts'
import { fault, fine, note, warning } from '../../admin/doctor/verdict.ts'
import type { Verdict } from '../../admin/doctor/verdict.ts'
import { isDaemonGivenUp, livingKeeper } from '../../client/living-keeper.ts'
import { isOlderVersion } from '../../lib/version-order.ts'
import { isWildcard } from '../../lib/host-name.ts'
import type { CommandContext } from '../command.ts'
import { faultAt } from './proxy-trial.ts'

/** `server` rejects when the daemon does not answer. `names`: those that it serves. */
export function serverChecks(
  context: CommandContext,
  server: Promise<ServerStatus>,
  names: Promise<readonly string[]>,
): readonly Check[] {
  const status = async (): Promise<ServerStatus | null> => await server.catch(() => null)
  return [
    { id: 'server', look: async () => checkServer(context, await status()) },
    { id: 'server-version', look: async () => checkVersions(await status(), context.version) },
    { id: 'server-warnings', look: async () => checkWarnings(await status()) },
    { id: 'proxy', look: async () => await checkProxy(await status(), names) },
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

async function checkProxy(status: ServerStatus | null, names: Promise<readonly string[]>): Promise<readonly Verdict[]> {
  if (status === null) return []
  if (status.proxy === null) {
    const explanation =
      'Services are at their direct addresses only. A keeper that was started before names were served has no ports for them.'
    return [warning('Nothing is served by name', { explanation, fix: 'locald server stop' })]
  }
  const host = (await names).find((name) => !isWildcard(name)) ?? null
  const ports = [
    { port: status.proxy.http, isSecure: false, host },
    { port: status.proxy.https, isSecure: true, host },
  ]
  const tried = await Promise.all(ports.map(async (each) => ({ ...each, reason: await faultAt(each) })))
  const dead = tried.filter(({ reason }) => reason !== null)
  if (dead.length === 0) return [fine(`Names are served at ports ${ports.map(({ port }) => port).join(' and ')}`)]
  return dead.map(({ port, reason }) => {
    const explanation = `The daemon says that it serves there. What came of a request: ${reason}.`
    return fault(`The proxy does not answer at port ${port}`, { explanation, fix: 'locald server restart' })
  })
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
