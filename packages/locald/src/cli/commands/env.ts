// `locald env`: the environment of a service, and where each value comes from.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { EnvAnswer, EnvSource, EnvVariable } from '@locald/protocol'
import { shellWord } from '../../lib/shell-text.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { shortPath } from '../output/diagnostics.ts'
import { askOrElse } from '../without-daemon.ts'

const origins: Readonly<Record<EnvSource, string>> = {
  shell: "the shell's environment",
  sibling: 'the address of a service',
  dotenv: 'an env file of the project',
  project: '[env]',
  env_file: 'an env file of the service',
  service: 'the service',
  locald: 'locald',
  flag: '--env',
}

export async function env(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const service = call.args[0] ?? ''
  const { variables } = await environmentOf(context, service)
  if (call.flag('json')) {
    output.printJson({ service, variables })
    return exitCodes.ok
  }
  const { style } = output.answer
  for (const variable of variables) {
    const origin = call.flag('explain') ? style.dim(`  # ${originOf(variable, context.cwd)}`) : ''
    output.print(`${variable.name}=${quotedValue(variable.value)}${origin}`)
  }
  return exitCodes.ok
}

/** The daemon's answer, which knows the assigned ports and the shell of the last `up`; else what would be. */
export async function environmentOf(context: CommandContext, service: string): Promise<EnvAnswer> {
  const offline = async (): Promise<EnvAnswer> => {
    const { offlinePlan, offlineVariables } = await import('../offline-project.ts')
    return { service, variables: offlineVariables(context, await offlinePlan(context), service) }
  }
  try {
    return await askOrElse(context, (client) => client.env(context.selector, service), offline)
  } catch (error) {
    if (error instanceof LocaldError && error.code === 'project_unknown') return offline()
    throw error
  }
}

function originOf({ source, file, line }: EnvVariable, cwd: string): string {
  if (file === null) return origins[source]
  return `${origins[source]}, ${shortPath(file, cwd)}${line === null ? '' : `:${line}`}`
}

/** As it is where a shell and the env files of every dialect read it back alike; else in single quotes. */
function quotedValue(value: string): string {
  return value === '' ? '' : shellWord(value)
}
