// What an order says on its way: with `--json`, stderr is for the error alone.
import type { CommandContext } from './command.ts'

export function withoutNotes(context: CommandContext): CommandContext {
  const { answer, side, print, printJson, closed } = context.output
  return { ...context, output: { answer, side, print, printJson, closed, note: () => {}, isLive: false } }
}
