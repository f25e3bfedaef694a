// `locald url`: an address to use in scripts and to click on.
import { exitCodes, LocaldError } from '@locald/protocol'
import type { UrlAnswer } from '@locald/protocol'
import type { CommandContext, Invocation } from '../command.ts'
import { askOrElse } from '../without-daemon.ts'

export async function url(context: CommandContext, call: Invocation): Promise<number> {
  const { output } = context
  const answer = await askForUrl(context, call.args[0])
  const isJson = call.flag('json')
  if (isJson) output.printJson(answer)
  const address = usableUrl(answer, call.args[0])
  if (!isJson) output.print(address)
  return exitCodes.ok
}

/** Rejects with `not_running` when no daemon runs: nothing has an address then. */
export async function askForUrl(context: CommandContext, service: string | undefined): Promise<UrlAnswer> {
  return await askOrElse(
    context,
    (client) => client.url(context.selector, service),
    async () => {
      const { offlinePlan } = await import('../offline-project.ts')
      const { plan } = await offlinePlan(context)
      throw new LocaldError('not_running', `Cannot tell the address of a service: "${plan.name}" is not up`, {
        hint: 'Start it: locald up',
      })
    },
  )
}

/** Throws `not_running` when there is none. */
export function usableUrl({ url: address, direct }: UrlAnswer, service = 'the service'): string {
  if (address !== null) return address
  if (direct !== null) {
    throw new LocaldError('not_running', `Cannot tell the address of "${service}": it is stopped`, {
      hint: 'Start it: locald up',
    })
  }
  throw new LocaldError('not_running', `Cannot tell the address of "${service}": it listens nowhere`, {
    hint: 'Ports and names are listed by: locald ports, locald check',
  })
}
