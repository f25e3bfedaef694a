// `locald try`: a command in the foreground with a port and a public URL, without any configuration.
import { LocaldError } from '@locald/protocol'
import type { ProjectStatus, ServiceExit } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { runInForeground } from '../foreground.ts'
import type { ForegroundOrder, ForegroundView } from '../foreground.ts'
import { variableOptions } from '../option-values.ts'
import { QuietNote } from '../quiet-note.ts'
import { reportWarnings } from '../report-outcome.ts'
import { planSave, save } from '../save-trial.ts'
import { createTrial } from '../trial.ts'
import type { Trial } from '../trial.ts'

/** What became known while it ran. */
interface Course {
  project: string | null
  wasHealthy: boolean
}

export async function tryCommand(context: CommandContext, call: Invocation): Promise<number> {
  const { cwd, env, installation } = context
  const words = call.verbatim ?? []
  if (words.length === 0) {
    throw new LocaldError('usage', '"locald try" needs a command', { hint: 'For example: locald try npm run dev' })
  }
  const home = env['HOME'] ?? '/'
  const variables = variableOptions(call, 'env')
  await using trial = await createTrial({ words, cwd, home, name: call.text('name'), directory: installation.tries })
  noteBeginning(context, trial)
  const course: Course = { project: null, wasHealthy: false }
  const order = {
    selector: { dir: cwd, file: trial.file },
    services: [],
    ...(variables === undefined ? {} : { env: variables }),
  }
  const code = await runTrial(context, order, course)
  await forget(context, course)
  if (course.wasHealthy) await offerToSave(context, call, trial)
  return code
}

async function runTrial(context: CommandContext, order: ForegroundOrder, course: Course): Promise<number> {
  using address = new QuietNote((text) => context.output.note(text))
  return await runInForeground(context, order, () => viewOf(context, course, address))
}

function noteBeginning({ output }: CommandContext, { command, framework }: Trial): void {
  const { style } = output.side
  const how = framework === null ? '' : style.dim(` (${framework} is told its port by flags)`)
  output.note(`${style.dim('$')} ${style.bold(command)}${how}`)
}

function viewOf(context: CommandContext, course: Course, address: QuietNote): ForegroundView {
  const { output } = context
  const { style } = output.side
  let shownUrl: string | null = null
  let shownExit: string | null = null
  let wasUnhealthy = false
  return {
    begun: (status: ProjectStatus) => {
      course.project = status.id
      reportWarnings(context, status)
    },
    line: ({ stream, text }) => {
      if (stream === 'locald') return
      output.print(output.answer.style.foreign(text))
      address.disturb()
    },
    changed: ({ state, health, url, exit }) => {
      if (exit !== null && exit.at !== shownExit && isWorthTelling(exit))
        output.note(`${style.red('✗')} ${exit.reason}`)
      shownExit = exit?.at ?? shownExit
      if (state !== 'running') return
      if (health.status === 'unhealthy' && !wasUnhealthy) {
        wasUnhealthy = true
        output.note(`${style.yellow('warning:')} Not healthy: ${health.message ?? 'nothing listens'}`)
      }
      if (health.status !== 'healthy' || url === null || url === shownUrl) return
      course.wasHealthy = true
      shownUrl = url
      address.show(`${style.green('➜')} ${style.bold(style.cyan(url))}`)
    },
    failed: ({ reason, exit }) => output.note(`${style.red('✗')} ${reason ?? exit?.reason ?? 'failed'}`),
  }
}

/** Not what was asked for by Ctrl-C, nor the plain end of what has an end. */
function isWorthTelling({ code, signal }: ServiceExit): boolean {
  return code === null ? !['SIGTERM', 'SIGINT', 'SIGKILL'].includes(signal ?? '') : code !== 0
}

/** It was never meant to be a project that locald knows. One that cannot be forgotten is no reason to fail. */
async function forget({ client }: CommandContext, { project }: Course): Promise<void> {
  if (project === null) return
  await client()
    .forgetProject(project)
    .catch(() => null)
}

async function offerToSave(context: CommandContext, call: Invocation, trial: Trial): Promise<void> {
  const { output, isInteractive } = context
  const isAsking = !call.flag('save') && isInteractive() && output.side.isTerminal
  if (!call.flag('save') && !isAsking) return
  const plan = await planSave(context, trial)
  if (plan === null) {
    output.note(
      `Nothing can be added to the locald.toml here. To keep it, write: command = ${JSON.stringify(trial.command)}`,
    )
    return
  }
  const { file, service, added, before } = plan
  if (isAsking && !(await isWanted(context, added, `${before === null ? 'Write' : 'Add'} this to ${file}?`))) return
  await save(plan)
  output.note(`${before === null ? 'Wrote' : `Added "${service}" to`} ${file}. Start it with "locald up"`)
}

async function isWanted({ output }: CommandContext, added: string, message: string): Promise<boolean> {
  const { confirm } = await import('@clack/prompts')
  output.note(`\n${added}\n`)
  return (await confirm({ message, initialValue: false, output: process.stderr })) === true
}
