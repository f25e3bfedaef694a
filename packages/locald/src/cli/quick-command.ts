// `locald status`: prompts and scripts ask for it so often that it loads nothing of the other commands.
import type { CommandSpec } from './command.ts'
import { status } from './commands/status.ts'
import { json } from './common-options.ts'

export const quickCommand: CommandSpec = {
  name: 'status',
  aliases: ['ps'],
  summary: 'Show services, their health and their addresses',
  details: ['Outside of a project: all projects. Never starts the daemon.'],
  options: [{ name: 'all', short: 'a', summary: 'All projects, also inside of one' }, json],
  examples: [['locald status --json', 'for scripts']],
  load: () => Promise.resolve(status),
}
