// `locald run`: a command as a service would run it, with this terminal.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { statSync } from 'node:fs'
import { constants } from 'node:os'
import { exitCodes, LocaldError } from '@locald/protocol'
import type { EnvAnswer, EnvVariable } from '@locald/protocol'
import { launchOf } from '../../plan/launch.ts'
import type { Plan } from '../../plan/plan.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { offlinePlan, plannedInstance } from '../offline-project.ts'
import { environmentOf } from './env.ts'

/** Belongs to this terminal, whatever the one of the last `up` was. */
const ofTheTerminal = ['TERM', 'COLORTERM', 'TERM_PROGRAM', 'NO_COLOR', 'FORCE_COLOR']

export async function run(context: CommandContext, call: Invocation): Promise<number> {
  const name = call.args[0] ?? ''
  const { plan } = await offlinePlan(context)
  const { service, instance } = plannedInstance(plan, name)
  const { variables, ports } = await environmentOf(context, name)
  const argv = call.verbatim !== null && call.verbatim.length > 0 ? call.verbatim : null
  const command = argv ?? launchOf(withPorts(plan, ports), service, variables).command
  if (command === undefined) {
    throw new LocaldError('usage', `Cannot run "${service.name}": it has no command`, {
      hint: `Name one: locald run ${service.name} -- COMMAND`,
    })
  }
  const words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  if (service.config.container !== undefined) {
    const { runInside } = await import('../run-inside.ts')
    return await runInside(context, { service: service.name, instance, argv: words, env: terminalVariables(context) })
  }
  return await runHere(context, words, { cwd: service.config.workdir, env: variablesFor(context, variables) })
}

/** With the ports that the variables were made of, which a plan made here cannot know. */
function withPorts({ services }: Plan, ports: EnvAnswer['ports'] = {}): Pick<Plan, 'services'> {
  return {
    services: services.map((service) => ({
      ...service,
      instances: service.instances.map((each, index) => ({ ...each, port: ports[service.name]?.[index] ?? each.port })),
    })),
  }
}

function variablesFor({ env }: CommandContext, variables: readonly EnvVariable[]): Record<string, string> {
  const result = Object.fromEntries(variables.map(({ name, value }) => [name, value]))
  Object.assign(result, terminalVariables({ env }))
  // They are for the service that runs: this is not it.
  delete result['NOTIFY_SOCKET']
  delete result['WATCHDOG_USEC']
  return result
}

function terminalVariables({ env }: Pick<CommandContext, 'env'>): Record<string, string> {
  return Object.fromEntries(ofTheTerminal.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

interface RunOptions {
  readonly cwd: string
  readonly env: Record<string, string>
}

function start(program: string, args: readonly string[], options: RunOptions): ChildProcess {
  try {
    return spawn(program, args, { ...options, stdio: 'inherit' })
  } catch (cause) {
    // Not every refusal of the system comes as an event.
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    const hint = why === 'E2BIG' ? { hint: 'A variable or an argument is too long, or all of them together are' } : {}
    throw new LocaldError('internal', `Cannot run "${program}": ${why}`, { cause, ...hint })
  }
}

async function runHere(
  { onInterrupt, output, isInteractive }: CommandContext,
  [program = '', ...args]: readonly string[],
  options: RunOptions,
): Promise<number> {
  if (statSync(options.cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new LocaldError('config_invalid', `Cannot run "${program}": there is no directory "${options.cwd}"`, {
      hint: 'Create it, or correct "workdir"',
    })
  }
  const child = start(program, args, options)
  // A terminal sends Ctrl-C to the command as well; it decides what comes of it. Other signals come to us alone.
  const hasTerminal = isInteractive() || output.answer.isTerminal || output.side.isTerminal
  using _interrupts = onInterrupt((signal) => {
    if (signal !== 'SIGINT' || !hasTerminal) child.kill(signal)
  })
  return await new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOENT' ? 'command not found' : error.code === 'EACCES' ? 'not executable' : error.message
      output.note(`error: Cannot run "${program}": ${why}`)
      resolve(error.code === 'ENOENT' ? 127 : error.code === 'EACCES' ? 126 : exitCodes.runFailed)
    })
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
