// `locald start`: the foreground, as foreman does it. The daemon runs the services; this shows their output and passes Ctrl-C on.
import type { CommandContext, Invocation } from '../command.ts'
import { runInForeground } from '../foreground.ts'
import type { ForegroundView } from '../foreground.ts'
import { variableOptions } from '../option-values.ts'
import { clockTime, createLabelPrefix } from '../output/label-prefix.ts'
import type { LabelPrefix } from '../output/label-prefix.ts'
import { reportWarnings } from '../report-outcome.ts'

export async function start(context: CommandContext, call: Invocation): Promise<number> {
  const env = variableOptions(call, 'env')
  const order = {
    selector: context.selector,
    services: call.args,
    ...(env === undefined ? {} : { env }),
    ...(call.flag('restart') ? { restart: true } : {}),
  }
  return await runInForeground(context, order, () => foremanView(context))
}

function foremanView(context: CommandContext): ForegroundView {
  const { output } = context
  const { style } = output.answer
  let prefix: LabelPrefix = (label) => label
  const print = (label: string, at: string, text: string): void =>
    output.print(`${clockTime(Date.parse(at))} ${prefix(label)}${text}`)
  return {
    begun: (status) => {
      const labels = status.services.map(({ name, instance }) => `${name}.${instance}`)
      prefix = createLabelPrefix(labels, style)
      reportWarnings(context, status)
    },
    // foreman numbers also the only instance.
    line: ({ service, at, text }) => print(/\.\d+$/.test(service) ? service : `${service}.1`, at, style.foreign(text)),
    failed: ({ name, instance, reason, exit }, at) =>
      print(`${name}.${instance}`, at, `failed: ${reason ?? exit?.reason ?? 'for an unknown reason'}`),
  }
}
