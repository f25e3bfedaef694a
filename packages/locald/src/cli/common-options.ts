// Options that mean the same in many commands.
import type { OptionSpec } from './command.ts'

export const json: OptionSpec = { name: 'json', summary: 'Print JSON, for scripts' }
