// Help, from the table of commands.
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command.ts'
import { globalOptions, optionsOf, topOptions } from './parse-arguments.ts'
import type { Style } from './output/style.ts'
import { padEnd, textWidth } from './output/text-width.ts'

/** Help on all commands, or on those of a group (`server`). */
export function renderHelp(commands: readonly CommandSpec[], group: string | null, style: Style): string {
  const shown = group === null ? commands : commands.filter(({ name }) => name.startsWith(`${group} `))
  const rows = shown.map((command): readonly [string, string] => [
    [command.name, ...(command.aliases ?? [])].join(', '),
    command.summary,
  ])
  const usage = group === null ? 'locald COMMAND [OPTION…]' : `locald ${group} COMMAND`
  return [
    ...(group === null
      ? ['One command starts a whole project: every service in order, each reported when it is healthy', '']
      : []),
    `${style.bold('Usage:')} ${usage}`,
    '',
    style.bold('Commands:'),
    ...columns(rows, style),
    '',
    style.bold('Options of every command:'),
    ...columns((group === null ? topOptions : globalOptions).map(optionRow), style),
    '',
    'Help on one command: locald COMMAND --help',
  ].join('\n')
}

/** Help on one command. */
export function renderCommandHelp(command: CommandSpec, style: Style): string {
  const { name, summary, details = [], examples, aliases = [] } = command
  return [
    summary,
    '',
    `${style.bold('Usage:')} ${usageOf(command)}`,
    ...(aliases.length > 0 ? [`${style.bold('Alias:')} ${aliases.map((alias) => `locald ${alias}`).join(', ')}`] : []),
    ...details.flatMap((paragraph) => ['', ...wrapped(paragraph, 96)]),
    '',
    style.bold('Options:'),
    ...columns(optionsOf(command).map(optionRow), style),
    ...(examples.length > 0 ? ['', style.bold(examples.length > 1 ? 'Examples:' : 'Example:')] : []),
    ...columns(
      examples.map(([line, what]) => [line, what]),
      style,
    ),
    ...(name === 'up'
      ? ['', 'Exit codes: 0 all healthy, 1 something failed, 2 usage or configuration, 3 no daemon, 4 no such service']
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

function columns(rows: readonly (readonly [string, string])[], style: Style): readonly string[] {
  const width = Math.max(0, ...rows.map(([left]) => textWidth(left)))
  return rows.map(([left, right]) => `  ${style.cyan(padEnd(left, width))}  ${right}`.trimEnd())
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
