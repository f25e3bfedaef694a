// `locald why`: from a service down to the one that everything waits for, with its last words and what to do.
import { exitCodes } from '@locald/protocol'
import type { WhyAnswer } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { clockTime } from '../output/label-prefix.ts'
import type { Style } from '../output/style.ts'
import { askOrElse } from '../without-daemon.ts'

export async function why(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const service = call.args[0] ?? ''
  const answer = await askOrElse(
    context,
    (client) => client.why(context.selector, service),
    async () => (await import('../offline-status.ts')).offlineWhy(context, service),
  )
  if (call.flag('json')) output.printJson(answer)
  else output.print(renderWhy(answer, output.answer.style).join('\n'))
  return exitCodes.ok
}

function renderWhy(answer: WhyAnswer, style: Style): readonly string[] {
  const { summary, chain, probe, ports, last_lines: lastLines, advice } = answer
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ['', style.bold(title), ...lines.map((line) => `  ${line}`)]
  const strangers = ports.flatMap(({ port, holder }) =>
    holder === null
      ? []
      : [
          `${port} is held by ${holder.pid === null ? `user ${holder.user ?? '?'}` : `pid ${holder.pid}`}${holder.command === null ? '' : ` (${holder.command})`}`,
        ],
  )
  return [
    summary,
    ...section(
      'Chain',
      chain.map(
        ({ service, state, reason }, depth) =>
          `${'  '.repeat(depth)}${depth === 0 ? '' : '└ '}${style.bold(service)} ${state}${reason === '' ? '' : `: ${reason}`}`,
      ),
    ),
    ...section('Health', probe === null ? [] : probeLines(probe)),
    ...section('Ports', strangers),
    ...section(
      'Last lines',
      lastLines.map((line) => `${style.dim(`${clockTime(Date.parse(line.at))} |`)} ${style.foreign(line.text)}`),
    ),
    ...section(
      'What to do',
      advice.map((step) => `• ${step}`),
    ),
  ]
}

function probeLines(probe: NonNullable<WhyAnswer['probe']>): readonly string[] {
  const result = probe.last_result === null ? [] : [`last result: ${probe.last_result}`]
  const output = probe.last_output === null || probe.last_output === '' ? [] : probe.last_output.trimEnd().split('\n')
  return [`${probe.source === null ? '' : `${probe.source}: `}${probe.description}`, ...result, ...output]
}
