// `locald why`: from a service down to the one that everything waits for, with its last words and what to do.
import { exitCodes } from '@locald/protocol'
import type { NotifyReport, WhyAnswer } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { holderWords } from '../output/holder-words.ts'
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
  const { service, summary, evidence, chain, probe, notify = [], last_lines: lastLines, advice } = answer
  const [step, ...steps] = advice
  const speaker = lastLines[0]?.service ?? service
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ['', style.bold(title), ...lines.map((line) => `  ${line}`)]
  return [
    summary,
    ...(evidence === undefined ? [] : [`  ${style.dim(`${evidence.service} |`)} ${style.foreign(evidence.text)}`]),
    ...(step === undefined ? [] : [`→ ${step}`]),
    ...section(
      'Chain',
      (chain.length < 2 ? [] : chain).map(
        ({ service, state, reason }, depth) =>
          `${'  '.repeat(depth)}${depth === 0 ? '' : '└ '}${style.bold(service)} ${state}${reason === '' ? '' : `: ${reason}`}`,
      ),
    ),
    ...section('Health', probe === null ? [] : probeLines(probe, style)),
    ...section(
      'Notify',
      notify.flatMap((report) => notifyLines(report, notify.length > 1)),
    ),
    ...section('Last exit', exitLines(answer)),
    ...section('Ports', portLines(answer)),
    ...section(
      speaker === service ? 'Last lines' : `Last lines of ${speaker}`,
      lastLines.map((line) => `${style.dim(`${clockTime(Date.parse(line.at))} |`)} ${style.foreign(line.text)}`),
    ),
    ...section(
      'What else to do',
      steps.map((each) => `• ${each}`),
    ),
  ]
}

/** Of a check's output: its first lines are mostly what it found, the rest why it thinks so. */
const outputLinesShown = 8

function probeLines(probe: NonNullable<WhyAnswer['probe']>, style: Style): readonly string[] {
  const { source, description, last_result: result, last_output: output, at } = probe
  const time = at === null ? '' : ` (${clockTime(Date.parse(at))})`
  const lines = output === null || output === '' ? [] : output.trimEnd().split('\n')
  const more = lines.length - outputLinesShown
  return [
    `${source === null ? '' : `${source}: `}${description}`,
    ...(result === null ? [] : [`last result${time}: ${result}`]),
    ...lines.slice(0, outputLinesShown).map((line) => `  ${style.foreign(line)}`),
    ...(more > 0 ? [style.dim(`  and ${more} more lines`)] : []),
  ]
}

function exitLines({ snapshots }: WhyAnswer): readonly string[] {
  return snapshots.flatMap(({ instance, exit, run }) => {
    if (exit === null) return []
    const which = snapshots.length > 1 ? `instance ${instance}, ` : ''
    return [`${which}run ${run}, ${clockTime(Date.parse(exit.at))}: ${exit.reason}`]
  })
}

function portLines({ ports }: WhyAnswer): readonly string[] {
  return ports.map(({ port, kind, listening, holder }) => {
    if (holder === null) return `${port} ${kind}, ${listening ? 'it listens there' : 'nobody listens there'}`
    return `${port} ${kind}, held by ${holderWords(holder)}`
  })
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
