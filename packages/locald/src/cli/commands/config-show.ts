// `locald config show`: every setting that is in effect, and with --provenance where it comes from.
import { exitCodes, LocaldError } from '@locald/protocol'
import { loadDocuments } from '../../config/load-config.ts'
import { hostNamesOf } from '../../plan/host-names.ts'
import type { HostPlan } from '../../plan/plan.ts'
import { configSettings } from '../../config/settings.ts'
import type { Setting } from '../../config/settings.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { configOptions } from '../offline-project.ts'
import { shortPath } from '../output/diagnostics.ts'
import { renderHosts } from '../output/host-list.ts'
import { padEnd, textWidth } from '../output/text-width.ts'

export async function configShow(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const loaded = await loadDocuments(configOptions(context))
  const { result, found } = loaded
  if (!result.ok) {
    throw new LocaldError('config_invalid', `"${found.file}" has mistakes`, { diagnostics: result.diagnostics })
  }
  const settings = configSettings(loaded)
  const { hosts } = hostNamesOf(result.config)
  if (call.flag('json')) {
    output.printJson({
      file: found.file,
      format: found.format,
      settings: settings.map(flattened),
      hosts: hosts.map(jsonHost),
    })
    return exitCodes.ok
  }
  const { style } = output.answer
  const lines = settings.map(({ key, value }) => `${key} = ${JSON.stringify(value)}`)
  // A long command must not push every origin off the screen.
  const width = Math.min(60, Math.max(0, ...lines.map(textWidth)))
  output.print(style.dim(`# ${shortPath(found.file, context.cwd)}`))
  for (const [index, setting] of settings.entries()) {
    const line = lines[index] ?? ''
    const origin = call.flag('provenance') ? `  ${style.dim(`# ${originOf(setting, context.cwd)}`)}` : ''
    output.print(`${origin === '' ? line : padEnd(line, width)}${origin}`)
  }
  if (hosts.length > 0) output.print(style.dim('# Host names'))
  for (const line of renderHosts(hosts, style)) output.print(`${style.dim('#')} ${line}`)
  return exitCodes.ok
}

function flattened({ key, value, origin, place }: Setting): Readonly<Record<string, unknown>> {
  return { key, value, origin, file: place?.file ?? null, line: place?.line ?? null }
}

function jsonHost({ host, rules }: HostPlan): Readonly<Record<string, unknown>> {
  return {
    host,
    rules: rules.map(({ prefix, service, stripPrefix }) => ({ prefix, service, strip_prefix: stripPrefix })),
  }
}

function originOf({ origin, place }: Setting, cwd: string): string {
  return place === null ? origin : `${shortPath(place.file, cwd)}:${place.line}`
}
