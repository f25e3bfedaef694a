// Help, from the table of commands.
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command.ts'
import { globalOptions, optionsOf, topOptions } from './parse-arguments.ts'
import type { Style } from './output/style.ts'
import { padEnd, textWidth } from './output/text-width.ts'
import { wrapped } from './output/wrapped.ts'

export interface HelpOptions {
  readonly style: Style
  /** Columns of the terminal; null: lines of tables are as long as they need. */
  readonly width: number | null
}

/** Of a paragraph, however wide the terminal is. */
const readableWidth = 96
/** What a table's second column is given at least. */
const leastRoom = 24

/** Help on all commands, or on those of a group (`server`). */
export function renderHelp(commands: readonly CommandSpec[], group: string | null, options: HelpOptions): string {
  const { style } = options
  const shown = group === null ? commands : commands.filter(({ name }) => name.startsWith(`${group} `))
  const rows = shown.map((command): readonly [string, string] => [
    [command.name, ...(command.aliases ?? [])].join(', '),
    command.summary,
  ])
  const usage = group === null ? 'locald COMMAND [OPTION…]' : `locald ${group} COMMAND`
  return [
    ...(group === null
      ? [
          ...paragraph(
            'One command starts a whole project: every service in order, each reported when it is healthy',
            options,
          ),
          '',
        ]
      : []),
    `${style.bold('Usage:')} ${usage}`,
    '',
    style.bold('Commands:'),
    ...columns(rows, options),
    '',
    style.bold('Options of every command:'),
    ...columns((group === null ? topOptions : globalOptions).map(optionRow), options),
    '',
    'Help on one command: locald COMMAND --help',
  ].join('\n')
}

/** Help on one command. */
export function renderCommandHelp(command: CommandSpec, options: HelpOptions): string {
  const { style } = options
  const { name, summary, details = [], examples, aliases = [] } = command
  return [
    summary,
    '',
    `${style.bold('Usage:')} ${usageOf(command)}`,
    ...(aliases.length > 0 ? [`${style.bold('Alias:')} ${aliases.map((alias) => `locald ${alias}`).join(', ')}`] : []),
    ...details.flatMap((text) => ['', ...paragraph(text, options)]),
    '',
    style.bold('Options:'),
    ...columns(optionsOf(command).map(optionRow), options),
    ...(examples.length > 0 ? ['', style.bold(examples.length > 1 ? 'Examples:' : 'Example:')] : []),
    ...columns(
      examples.map(([line, what]) => [line, what]),
      options,
    ),
    ...(name === 'up'
      ? [
          '',
          ...paragraph(
            'Exit codes: 0 all healthy, 1 something failed, 2 usage or configuration, 3 no daemon, 4 no such service',
            options,
          ),
        ]
      : []),
  ].join('\n')
}

function usageOf(command: CommandSpec): string {
  const args = (command.args ?? []).map(argumentText)
  const verbatim = command.verbatimAfter === undefined ? [] : ['[-- COMMAND…]']
  return ['locald', command.name, ...args, '[OPTION…]', ...verbatim].join(' ')
}

function argumentText({ name, required, repeat }: ArgumentSpec): string {
  const text = repeat === true ? `${name}…` : name
  return required === true ? text : `[${text}]`
}

function optionRow({ name, short, value, summary, repeat }: OptionSpec): readonly [string, string] {
  const long = `--${name}${value === undefined ? '' : ` ${value}`}`
  return [
    short === undefined ? `    ${long}` : `-${short}, ${long}`,
    repeat === true ? `${summary}; may be repeated` : summary,
  ]
}

function paragraph(text: string, { width }: HelpOptions): readonly string[] {
  return wrapped(text, Math.min(width ?? readableWidth, readableWidth))
}

/** What does not fit goes on below where it began. */
function columns(rows: readonly (readonly [string, string])[], { style, width }: HelpOptions): readonly string[] {
  const leftWidth = Math.max(0, ...rows.map(([left]) => textWidth(left)))
  const room = width === null ? Number.POSITIVE_INFINITY : Math.max(leastRoom, width - leftWidth - 4)
  return rows.flatMap(([left, right]) =>
    wrapped(right, room).map((line, at) =>
      `  ${style.cyan(padEnd(at === 0 ? left : '', leftWidth))}  ${line}`.trimEnd(),
    ),
  )
}
