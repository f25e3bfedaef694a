// Reads a command line by the table of commands.
import { parseArgs } from 'node:util'
import { LocaldError } from '@locald/protocol'
import { nearestName } from '../lib/nearest-name.ts'
import type { CommandSpec, Invocation, OptionSpec } from './command.ts'

/** Options of every command; they may stand before its name as well. */
export const globalOptions: readonly OptionSpec[] = [
  { name: 'dir', value: 'DIR', summary: 'Work as if started in DIR' },
  { name: 'file', short: 'f', value: 'FILE', summary: 'Use this configuration instead of looking for one' },
  { name: 'help', short: 'h', summary: 'Show help' },
]

/** Those before the name of a command. */
export const topOptions: readonly OptionSpec[] = [
  ...globalOptions,
  { name: 'version', short: 'V', summary: 'Show the version' },
]

export type ParsedLine =
  | { readonly type: 'help'; readonly command: CommandSpec | null; readonly topic: string | null }
  | { readonly type: 'version' }
  | {
      readonly type: 'command'
      readonly command: CommandSpec
      readonly call: Invocation
      readonly dir: string | undefined
      readonly file: string | undefined
    }

/** Throws a LocaldError `usage` that names the nearest right word. */
export function parseLine(argv: readonly string[], commands: readonly CommandSpec[]): ParsedLine {
  const { head, tail } = splitAtCommand(argv)
  const before = parseOptions(head, topOptions, null)
  if (before.flag('version')) return { type: 'version' }
  const [name, ...rest] = tail
  if (name === undefined) return { type: 'help', command: null, topic: null }
  if (name === 'help') return helpOn(rest, commands)
  const found = findCommand(tail, commands)
  if (found === null) {
    const help = before.flag('help') || rest.includes('--help') || rest.includes('-h')
    if (isGroup(name, commands) && (rest.length === 0 || help)) return { type: 'help', command: null, topic: name }
    throw unknownCommand(tail, commands)
  }
  const { command, words } = found
  const call = parseCall(command, tail.slice(words))
  if (call.flag('help') || before.flag('help')) return { type: 'help', command, topic: null }
  checkArguments(command, call)
  return {
    type: 'command',
    command,
    call,
    dir: call.text('dir') ?? before.text('dir'),
    file: call.text('file') ?? before.text('file'),
  }
}

/** The options that a command understands: its own, which may take a short name of the global ones for themselves. */
export function optionsOf(command: CommandSpec): readonly OptionSpec[] {
  const own = command.options ?? []
  const taken = new Set(own.map((option) => option.short))
  const names = new Set(own.map((option) => option.name))
  const globals = globalOptions
    .filter((option) => !names.has(option.name))
    .map((option) => {
      const { short, ...rest } = option
      return short === undefined || taken.has(short) ? rest : option
    })
  return [...own, ...globals]
}

function splitAtCommand(argv: readonly string[]): { head: readonly string[]; tail: readonly string[] } {
  const { tokens } = tokenise(argv, topOptions)
  const first = tokens.find((token) => token.kind === 'positional')
  const at = first?.index ?? argv.length
  return { head: argv.slice(0, at), tail: argv.slice(at) }
}

function helpOn(topic: readonly string[], commands: readonly CommandSpec[]): ParsedLine {
  const [name] = topic
  if (name === undefined) return { type: 'help', command: null, topic: null }
  const found = findCommand(topic, commands)
  if (found !== null) return { type: 'help', command: found.command, topic: null }
  if (isGroup(name, commands)) return { type: 'help', command: null, topic: name }
  throw unknownCommand(topic, commands)
}

function findCommand(
  words: readonly string[],
  commands: readonly CommandSpec[],
): { command: CommandSpec; words: number } | null {
  const [first, second] = words
  for (const command of commands) {
    if (command.name === `${first} ${second}`) return { command, words: 2 }
  }
  for (const command of commands) {
    if (command.name === first || command.aliases?.some((alias) => alias === first) === true)
      return { command, words: 1 }
  }
  return null
}

function isGroup(name: string, commands: readonly CommandSpec[]): boolean {
  return commands.some((command) => command.name.startsWith(`${name} `))
}

function unknownCommand(words: readonly string[], commands: readonly CommandSpec[]): LocaldError {
  const [first = '', second = ''] = words
  const group = isGroup(first, commands)
  const typed = group ? `${first} ${second}` : first
  const names = commands.flatMap((command) => [command.name, ...(command.aliases ?? [])])
  const near = nearestName(typed, names)
  return new LocaldError('usage', `Unknown command "${typed}"`, {
    hint: near === undefined ? `See "locald ${group ? `help ${first}` : '--help'}"` : `Did you mean "locald ${near}"?`,
  })
}

function parseCall(command: CommandSpec, words: readonly string[]): Invocation {
  const options = optionsOf(command)
  const label = `"locald ${command.name}"`
  if (command.verbatimAfter === undefined) return parseOptions(words, options, label)
  const { tokens } = tokenise(words, options)
  let positionals = 0
  for (const token of tokens) {
    if (token.kind === 'option') continue
    const isEnd = token.kind === 'option-terminator'
    if (isEnd || positionals === command.verbatimAfter) {
      const verbatim = words.slice(isEnd ? token.index + 1 : token.index)
      return { ...parseOptions(words.slice(0, token.index), options, label), verbatim }
    }
    positionals += 1
  }
  return parseOptions(words, options, label)
}

type Token =
  | { readonly kind: 'positional'; readonly index: number; readonly value: string }
  | { readonly kind: 'option-terminator'; readonly index: number }
  | {
      readonly kind: 'option'
      readonly index: number
      readonly name: string
      readonly rawName: string
      readonly value: string | undefined
      readonly inlineValue: boolean | undefined
    }

function tokenise(words: readonly string[], options: readonly OptionSpec[]): { readonly tokens: readonly Token[] } {
  // Most lines have no option, and loading the parser takes longer than all of this.
  if (!words.some((word) => word.startsWith('-'))) {
    return { tokens: words.map((value, index) => ({ kind: 'positional', index, value })) }
  }
  return parseArgs({
    args: [...words],
    options: Object.fromEntries(
      options.map((option) => [
        option.name,
        {
          type: option.value === undefined ? ('boolean' as const) : ('string' as const),
          multiple: true,
          ...(option.short === undefined ? {} : { short: option.short }),
        },
      ]),
    ),
    // Its own messages name no nearest word.
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
}

function parseOptions(words: readonly string[], options: readonly OptionSpec[], command: string | null): Invocation {
  const given = new Map<string, string[]>()
  const args: string[] = []
  for (const token of tokenise(words, options).tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = options.find(({ name }) => name === token.name)
    if (option === undefined) throw unknownOption(token.rawName, options, command)
    const value = optionValue(option, token)
    given.set(option.name, option.repeat === true ? [...(given.get(option.name) ?? []), value] : [value])
  }
  return {
    args,
    verbatim: null,
    flag: (name) => given.has(name),
    text: (name) => given.get(name)?.[0],
    list: (name) => given.get(name) ?? [],
  }
}

function optionValue(option: OptionSpec, token: Extract<Token, { kind: 'option' }>): string {
  if (option.value === undefined) {
    if (token.value === undefined) return ''
    throw new LocaldError('usage', `The option ${token.rawName} takes no value`)
  }
  // Without "=", a word that looks like an option is one: the value was forgotten.
  const isForgotten = token.value === undefined || (token.inlineValue !== true && /^--?[a-z]/.test(token.value))
  if (token.value !== undefined && !isForgotten) return token.value
  throw new LocaldError('usage', `The option ${token.rawName} needs a value`, {
    hint: `For example: ${token.rawName}${token.rawName.startsWith('--') ? '=' : ' '}${option.value}`,
  })
}

function unknownOption(rawName: string, options: readonly OptionSpec[], command: string | null): LocaldError {
  const long = rawName.startsWith('--')
  const near = long
    ? nearestName(
        rawName.slice(2),
        options.map(({ name }) => name),
      )
    : undefined
  const help = command === null ? '"locald --help"' : `${command.slice(0, -1)} --help"`
  return new LocaldError('usage', `Unknown option "${rawName}"${command === null ? '' : ` of ${command}`}`, {
    hint: near === undefined ? `See ${help}` : `Did you mean "--${near}"?`,
  })
}

function checkArguments(command: CommandSpec, call: Invocation): void {
  const specs = command.args ?? []
  const missing = specs.find((spec, index) => spec.required === true && call.args[index] === undefined)
  if (missing !== undefined) {
    throw new LocaldError('usage', `"locald ${command.name}" needs ${missing.name}`, {
      hint: `See "locald ${command.name} --help"`,
    })
  }
  const most = specs.some((spec) => spec.repeat === true) ? Infinity : specs.length
  const surplus = call.args[most]
  if (surplus !== undefined) {
    throw new LocaldError('usage', `Too many arguments for "locald ${command.name}": "${surplus}"`, {
      hint: `See "locald ${command.name} --help"`,
    })
  }
}
