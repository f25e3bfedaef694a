// `locald logs`: recorded output of all services of a project, merged by time.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { LogLine } from '@locald/protocol'
import type { LogsRequest } from '../../client/api-streams.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { numberOption, timeOption } from '../option-values.ts'
import { leaveLine } from '../output/leave-line.ts'
import { clockTime, createLabelPrefix } from '../output/label-prefix.ts'
import { styleFor } from '../output/style.ts'

export async function logs(context: CommandContext, call: Invocation): Promise<number> {
  const { output, onInterrupt } = context
  const request = logsRequest(context, call)
  const client = await context.connect()
  const interrupted = new AbortController()
  using _interrupts = onInterrupt(() => interrupted.abort())
  const textOf = call.flag('json') ? (line: LogLine): string => JSON.stringify(line) : await lineFormat(context, call)
  const signal = AbortSignal.any([interrupted.signal, output.closed])
  for await (const lines of client.logBatches(context.selector, { ...request, signal })) {
    output.print(lines.map(textOf).join('\n'))
  }
  leaveLine(output, interrupted.signal)
  // Ctrl-C is the way to end following; nothing has failed.
  return exitCodes.ok
}

function logsRequest(context: CommandContext, call: Invocation): LogsRequest {
  const now = context.now()
  const tail = numberOption(call, 'tail', 0)
  const since = timeOption(call, 'since', now)
  const until = timeOption(call, 'until', now)
  const run = numberOption(call, 'run', Number.MIN_SAFE_INTEGER)
  const grep = call.text('grep')
  if (call.flag('follow') && until !== undefined) {
    throw new LocaldError('usage', 'Cannot follow what ends at some time: --follow and --until do not go together', {
      hint: 'Leave one of them out',
    })
  }
  if (grep !== undefined) checkExpression(grep)
  return {
    services: call.args,
    follow: call.flag('follow'),
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(grep === undefined ? {} : { grep }),
    ...(run === undefined ? {} : { run }),
  }
}

function checkExpression(expression: string): void {
  try {
    void new RegExp(expression, 'u')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new LocaldError('usage', `Cannot read the regular expression "${expression}": ${why}`, { cause })
  }
}

async function lineFormat(context: CommandContext, call: Invocation): Promise<(line: LogLine) => string> {
  const { output, client, selector } = context
  const style = call.flag('no-color') ? styleFor(false) : output.answer.style
  const isPlain = call.flag('no-prefix')
  const hasTime = call.flag('timestamps')
  const status = await client().status(selector)
  const names = 'services' in status ? status.services.map(({ name, instance }) => ({ name, instance })) : []
  const prefix = createLabelPrefix(labelsOf(names), style)
  return (line) => {
    const time = hasTime ? `${style.dim(clockTime(Date.parse(line.at)))} ` : ''
    const text = style.foreign(line.text)
    const shown = line.stream === 'locald' ? style.dim(text) : text
    return `${time}${isPlain ? '' : prefix(line.service)}${shown}`
  }
}

function labelsOf(services: readonly { readonly name: string; readonly instance: number }[]): readonly string[] {
  return services.map(({ name, instance }) =>
    services.some((other) => other.name === name && other.instance > 1) ? `${name}.${instance}` : name,
  )
}
