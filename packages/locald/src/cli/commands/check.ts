// `locald check`: all that is wrong with a configuration, at once; starts nothing and asks nobody.
import { exitCodes } from '@locald/protocol'
import type { Diagnostic } from '@locald/protocol'
import type { Config } from '../../config/config.ts'
import type { FoundConfig } from '../../config/discover.ts'
import { loadDocuments } from '../../config/load-config.ts'
import { quoteLines } from '../../config/quoted-lines.ts'
import { environmentWarnings } from '../../plan/environment.ts'
import { hostsOf } from '../../plan/host-names.ts'
import type { Plan } from '../../plan/plan.ts'
import { examine } from '../../plan/read-plan.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { configOptions } from '../offline-project.ts'
import { definedVariables } from '../option-values.ts'
import { renderHosts } from '../output/host-list.ts'
import { countDiagnostics, renderDiagnostic, shortPath } from '../output/diagnostics.ts'

interface Checked {
  readonly found: FoundConfig
  readonly config: Config | null
  readonly plan: Plan | null
  readonly diagnostics: readonly Diagnostic[]
}

export async function check(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const checked = await checkAll(context)
  const isGood = !checked.diagnostics.some(({ severity }) => severity === 'error')
  if (call.flag('json')) {
    output.printJson(jsonAnswer(checked))
    return isGood ? exitCodes.ok : exitCodes.usage
  }
  for (const diagnostic of checked.diagnostics) {
    output.note(`${renderDiagnostic(diagnostic, { cwd: context.cwd, style: output.side.style }).join('\n')}\n`)
  }
  const count = countDiagnostics(checked.diagnostics)
  if (isGood && checked.config !== null) {
    output.print([summary(context, checked.config, count), ...hostLines(context, checked.plan)].join('\n'))
  } else output.note(count)
  return isGood ? exitCodes.ok : exitCodes.usage
}

/** What reading the configuration finds, and what only planning does: ports, references, names, variables that nobody sets. */
async function checkAll(context: CommandContext): Promise<Checked> {
  const { result, found } = await loadDocuments(configOptions(context))
  const config = result.ok ? result.config : null
  const examined = await examine(result, () => ({}))
  if (!examined.ok) return { found, config, plan: null, diagnostics: examined.diagnostics }
  const { plan, layers, warnings } = examined.read
  const names = new Set(plan.services.map(({ name }) => name))
  const unset = environmentWarnings(plan, names, { layers, shell: definedVariables(context.env), flags: {} })
  return { found, config, plan, diagnostics: [...warnings, ...(await quoteLines(unset))] }
}

function jsonAnswer({ found, config, plan, diagnostics }: Checked): unknown {
  return {
    file: found.file,
    format: found.format,
    project: config?.name ?? null,
    root: found.root,
    services: (config?.services ?? []).map((service) => ({
      name: service.name,
      type: service.type,
      command: service.command ?? null,
      depends_on:
        plan?.services.find(({ name }) => name === service.name)?.dependsOn.map((dependency) => dependency.service) ??
        service.dependsOn.map((dependency) => dependency.service),
      workdir: service.workdir,
      replicas: service.replicas,
      hosts: plan === null ? [] : hostsOf(plan, service.name),
    })),
    diagnostics: diagnostics.map((diagnostic) => ({ ...diagnostic, hint: diagnostic.hint ?? null })),
  }
}

function summary({ cwd, output }: CommandContext, { file, name, services }: Config, count: string): string {
  const names = services.length === 0 ? 'no services' : services.map((service) => service.name).join(', ')
  const { style } = output.answer
  return `${style.green('✓')} ${shortPath(file, cwd)}: project "${name}" with ${names}${count === '' ? '' : ` (${count})`}`
}

function hostLines({ output }: CommandContext, plan: Plan | null): readonly string[] {
  return plan === null ? [] : renderHosts(plan.hosts, output.answer.style).map((line) => `  ${line}`)
}
