// `locald why`: from a service down to the one that everything waits for, with its last words and what to do.
import { exitCodes } from '@locald/protocol'
import type { NotifyReport, WhyAnswer } from '@locald/protocol'
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
  const { summary, chain, probe, notify = [], ports, last_lines: lastLines, advice } = answer
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
    ...section(
      'Notify',
      notify.flatMap((report) => notifyLines(report, notify.length > 1)),
    ),
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

function notifyLines(report: NotifyReport, isOneOfMany: boolean): readonly string[] {
  const { instance, ready, status, phase, errno, main_pid: mainPid, watchdog, refused, messages } = report
  const facts = [
    ...(isOneOfMany ? [`instance ${instance}`] : []),
    ready ? 'sent READY=1' : 'did not send READY=1',
    ...(phase === null ? [] : [phase]),
    ...(status === null ? [] : [`says "${status}"`]),
    ...(errno === null ? [] : [`error ${errno}`]),
    ...(mainPid === null ? [] : [`main process ${mainPid}`]),
    ...(watchdog === null
      ? []
      : [watchdog.missed ? 'missed its watchdog' : `watchdog every ${watchdog.interval_ms} ms`]),
    ...(refused === 0 ? [] : [`${refused} ${refused === 1 ? 'message' : 'messages'} refused`]),
  ]
  return [
    facts.join(', '),
    ...messages.map(({ at, text, pid, command, accepted, verdict, reason, count }) => {
      const sender = `pid ${pid}${command === null || command === '' ? '' : ` (${command})`}`
      // That it is one of its own processes is what one expects.
      const judged = verdict === 'member' ? '' : `: ${reason}`
      const times = count > 1 ? ` (${count} times)` : ''
      return `${clockTime(Date.parse(at))} ${accepted ? '' : 'refused '}${text === '' ? 'a message' : text} of ${sender}${judged}${times}`
    }),
  ]
}
