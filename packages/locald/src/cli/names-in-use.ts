// The host names that locald serves for whoever called this command, also when that was done by sudo.
import { apiPrefix, LocaldError } from '@locald/protocol'
import { apiSocketOf, callerOf } from '../admin/caller.ts'
import type { Caller } from '../admin/caller.ts'
import { sendPlainRequest } from '../client/plain-request.ts'
import { NobodyListens } from '../client/request-errors.ts'
import { loadConfig } from '../config/load-config.ts'
import { isWildcard } from '../lib/host-name.ts'
import { hostNamesOf } from '../plan/host-names.ts'
import type { CommandContext } from './command.ts'

const timeoutMs = 10_000

/** Those of all projects, or of this one when no daemon runs. Without wildcards. */
export async function namesInUse(context: CommandContext): Promise<readonly string[]> {
  const caller = await callerOf(context.env, process.getuid?.() ?? 0)
  const socket = await apiSocketOf(caller)
  const names = socket === null ? null : await namesOfDaemon(socket)
  return (names ?? (await namesOfProject(context, caller))).filter((name) => !isWildcard(name))
}

/**
 * What certificates are needed for, as far as it can be told: of the daemon's projects, and of the one here even when it has
 * never been up. Wildcards are among them.
 */
export async function namesToTrust(context: CommandContext): Promise<readonly string[]> {
  const caller = await callerOf(context.env, process.getuid?.() ?? 0)
  const running = await orNone(async () => (await namesOfDaemon(context.installation.apiSocket)) ?? [])
  return [...running, ...(await orNone(async () => await namesOfProject(context, caller)))]
}

async function orNone(names: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await names()
  } catch (error) {
    if (error instanceof LocaldError) return [] // no project here, or one with mistakes: that is for `check` to say
    throw error
  }
}

async function namesOfProject(
  { cwd, selector, installation }: CommandContext,
  caller: Caller,
): Promise<readonly string[]> {
  const { uid, home } = caller
  const userConfigFile = caller.installations[0]?.userConfig ?? installation.userConfig
  const file = selector.file === undefined ? {} : { file: selector.file }
  const result = await loadConfig({ dir: cwd, home, uid, userConfigFile, ...file })
  if (result.ok) return hostNamesOf(result.config).hosts.map(({ host }) => host)
  throw new LocaldError('config_invalid', 'The configuration has mistakes', { diagnostics: result.diagnostics })
}

/** Null when nobody listens. The answer is another user's where root asks: it is read as such. */
export async function namesOfDaemon(socket: string): Promise<readonly string[] | null> {
  try {
    const answer = await sendPlainRequest({ socket, method: 'GET', path: `${apiPrefix}/names`, timeoutMs })
    if (answer.status === 200) return hostsIn(JSON.parse(answer.text))
    throw new LocaldError('version_mismatch', 'The daemon does not tell its names: it is of an older version', {
      hint: 'Replace it, while services keep running: locald server restart',
    })
  } catch (error) {
    if (error instanceof NobodyListens) return null
    throw error
  }
}

function hostsIn(answer: unknown): readonly string[] {
  if (typeof answer !== 'object' || answer === null || !('names' in answer) || !Array.isArray(answer.names)) return []
  return answer.names.flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'host' in entry && typeof entry.host === 'string'
      ? [entry.host]
      : [],
  )
}
