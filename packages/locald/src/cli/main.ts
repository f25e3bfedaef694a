// The command line: parse, load the command, run it, turn what it throws into words and an exit code.
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { errorKinds, exitCodes, LocaldError } from '@locald/protocol'
import type { ProjectSelector } from '@locald/protocol'
import { createApiClient } from '../client/api-client.ts'
import type { ApiClient } from '../client/api-client.ts'
import type { ServerStart } from '../client/ensure-server.ts'
import { isListening } from '../client/is-listening.ts'
import { checkSocketPath } from '../client/socket-path.ts'
import { installationFor } from '../lib/installation.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import type { Output } from './output/output.ts'
import { parseLine } from './parse-arguments.ts'
import type { ParsedLine } from './parse-arguments.ts'
import { quickCommand } from './quick-command.ts'
import { isOlderVersion } from '../lib/version-order.ts'

/** What the command line takes from the process that runs it. */
export interface MainOptions {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly version: string
  /** The keeper's program. */
  readonly keeperProgram: string
  readonly output: Output
  readonly isInteractive: CommandContext['isInteractive']
  readonly onInterrupt: CommandContext['onInterrupt']
}

/** Resolves with the exit code; never rejects. */
export async function main(options: MainOptions): Promise<number> {
  let parsed: ParsedLine | null = null
  try {
    const [first] = options.argv
    parsed = parseLine(options.argv, first === quickCommand.name ? [quickCommand] : await allCommands())
    return await obey(options, parsed)
  } catch (thrown) {
    const error = await explained(thrown, options)
    const call = parsed?.type === 'command' ? parsed : null
    const { renderError, renderErrorAsJson } = await import('./output/error-report.ts')
    const { note, side } = options.output
    // Of a line that makes no sense, that much is still plain.
    const isJson = call === null ? options.argv.includes('--json') : call.call.flag('json')
    if (isJson) note(renderErrorAsJson(error))
    else note(renderError(error, { cwd: options.cwd, style: side.style }).join('\n'))
    return exitCodeFor(error, call?.command ?? null)
  }
}

/** The daemon's last words, where it went away in the middle of a command. */
async function explained(error: unknown, { env }: MainOptions): Promise<unknown> {
  if (!(error instanceof LocaldError) || error.code !== 'daemon_unreachable' || error.hint !== undefined) return error
  const { whyUnreachable } = await import('../client/why-unreachable.ts')
  const { code, message, cause } = error
  return new LocaldError(code, message, { cause, hint: await whyUnreachable(installationFor(env)) })
}

async function allCommands(): Promise<readonly CommandSpec[]> {
  return (await import('./commands.ts')).commands
}

async function obey(options: MainOptions, parsed: ParsedLine): Promise<number> {
  const { output, version } = options
  if (parsed.type === 'command') {
    const handler = await parsed.command.load()
    return handler(contextFor(options, parsed), parsed.call)
  }
  output.print(parsed.type === 'version' ? version : await helpText(parsed, output))
  return exitCodes.ok
}

async function helpText(parsed: Extract<ParsedLine, { type: 'help' }>, output: Output): Promise<string> {
  const { renderCommandHelp, renderHelp } = await import('./help.ts')
  const { style } = output.answer
  const shape = { style, width: output.answer.width() }
  return parsed.command === null
    ? renderHelp(await allCommands(), parsed.topic, shape)
    : renderCommandHelp(parsed.command, shape)
}

function contextFor(options: MainOptions, parsed: Extract<ParsedLine, { type: 'command' }>): CommandContext {
  const { env, version, output, isInteractive, onInterrupt } = options
  const cwd = parsed.dir === undefined ? options.cwd : existingDirectory(resolve(options.cwd, parsed.dir))
  const installation = installationFor(env)
  const selector: ProjectSelector = {
    dir: cwd,
    ...(parsed.file === undefined ? {} : { file: resolve(cwd, parsed.file) }),
  }
  const client = (revive?: () => Promise<void>): ApiClient => {
    checkSocketPath(installation)
    // Opens the stream of the answer once the first question is sent: it takes about as long as the daemon does.
    setImmediate(() => output.answer.isTerminal)
    return createApiClient({
      socket: installation.apiSocket,
      onVersion: (daemonVersion) => {
        if (!parsed.call.flag('json')) noteVersion(daemonVersion, version, output)
      },
      ...(revive === undefined ? {} : { revive }),
    })
  }
  return {
    env,
    cwd,
    selector,
    installation,
    version,
    keeperProgram: options.keeperProgram,
    output,
    now: () => Date.now(),
    isInteractive,
    client: () => client(),
    connect: async (again) => {
      // Loaded when there is nobody: with a daemon that runs, it would be a good part of what a command takes.
      const ensure = async (how: Pick<ServerStart, 'again'>): Promise<void> => {
        const { ensureServer } = await import('../client/ensure-server.ts')
        await ensureServer({ installation, keeperProgram: options.keeperProgram, env, ...how })
      }
      if (!(await isListening(installation))) await ensure(again === undefined ? {} : { again })
      return client(async () => await ensure({}))
    },
    onInterrupt,
  }
}

function existingDirectory(directory: string): string {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return directory
  throw new LocaldError('usage', `Cannot work in "${directory}": there is no such directory`)
}

/** A newer daemon is right as it is: an older command line never asks to replace it. */
function noteVersion(daemonVersion: string, ownVersion: string, output: Output): void {
  if (daemonVersion === ownVersion || !isOlderVersion(daemonVersion, ownVersion)) return
  const { style } = output.side
  output.note(
    `${style.yellow('warning:')} The daemon still runs version ${daemonVersion}, this is ${ownVersion}\n` +
      `${style.cyan('hint:')} Replace it, while services keep running: locald server restart`,
  )
}

function exitCodeFor(error: unknown, command: CommandSpec | null): number {
  // What these return is the command's own code; only this one says that locald failed.
  const isOthers = command?.name === 'run' || command?.name === 'try'
  if (isOthers && !(error instanceof LocaldError && error.code === 'usage')) return exitCodes.runFailed
  return error instanceof LocaldError ? errorKinds[error.code].exit : exitCodes.failed
}
