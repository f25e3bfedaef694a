import { LocaldError } from '@locald/protocol'
import { expect, test } from 'vitest'
import { commands } from './commands.ts'
import type { Invocation } from './command.ts'
import { parseLine } from './parse-arguments.ts'

function parse(...argv: readonly string[]): { name: string; call: Invocation; dir?: string; file?: string } {
  const parsed = parseLine(argv, commands)
  if (parsed.type !== 'command') throw new Error(`Parsed as ${parsed.type}`)
  const { command, call, dir, file } = parsed
  return { name: command.name, call, ...(dir === undefined ? {} : { dir }), ...(file === undefined ? {} : { file }) }
}

function refusal(...argv: readonly string[]): string {
  try {
    parseLine(argv, commands)
  } catch (error) {
    if (error instanceof LocaldError && error.code === 'usage') return `${error.message} | ${error.hint ?? ''}`
    throw error
  }
  throw new Error('Not refused')
}

test('parseLine() finds commands by name, alias and in groups', () => {
  expect(parse('status').name).toBe('status')
  expect(parse('ps').name).toBe('status')
  expect(parse('exec', 'web').name).toBe('run')
  expect(parse('server', 'status').name).toBe('server status')
  expect(parse('config', 'show', '--provenance').call.flag('provenance')).toBe(true)
})

test('parseLine() takes global options before and after the command', () => {
  expect(parse('--dir', '/a', '-f', 'Procfile', 'up', 'web')).toMatchObject({ dir: '/a', file: 'Procfile' })
  expect(parse('up', '--dir=/a', 'web', '-fProcfile')).toMatchObject({ dir: '/a', file: 'Procfile' })
  expect(parse('-f', 'Procfile', 'logs', '-f')).toMatchObject({ name: 'logs', file: 'Procfile' })
})

test('parseLine() reads -f of logs as --follow, and groups of short options', () => {
  const { call, file } = parse('logs', 'web', '-fn', '20', 'api')
  expect(call.flag('follow')).toBe(true)
  expect(call.text('tail')).toBe('20')
  expect(call.args).toEqual(['web', 'api'])
  expect(file).toBeUndefined()
})

test('parseLine() keeps repeated options in order', () => {
  expect(parse('up', '--env', 'A=1', '--env=B=2 3').call.list('env')).toEqual(['A=1', 'B=2 3'])
})

test.each([
  [
    ['run', 'web', '--', 'npm', 'test', '--watch'],
    ['npm', 'test', '--watch'],
  ],
  [
    ['run', 'web', 'npm', 'test', '--watch', '--', 'x'],
    ['npm', 'test', '--watch', '--', 'x'],
  ],
  [['run', '--dir', '/a', 'web', '--', '--dir'], ['--dir']],
  [['run', 'web', '--'], []],
])('parseLine() leaves the command line of %j alone', (argv, verbatim) => {
  const { call } = parse(...argv)
  expect(call.args).toEqual(['web'])
  expect(call.verbatim).toEqual(verbatim)
})

test('parseLine() tells a missing command line from an empty one', () => {
  expect(parse('run', 'web').call.verbatim).toBeNull()
})

test.each([
  [['stauts'], 'Unknown command "stauts" | Did you mean "locald status"?'],
  [['server', 'strat'], 'Unknown command "server strat" | Did you mean "locald server start"?'],
  [['frobnicate'], 'Unknown command "frobnicate" | See "locald --help"'],
  [['up', '--no-wiat'], 'Unknown option "--no-wiat" of "locald up" | Did you mean "--no-wait"?'],
  [['up', '-x'], 'Unknown option "-x" of "locald up" | See "locald up --help"'],
  [['--jsno', 'up'], 'Unknown option "--jsno" | See "locald --help"'],
  [['up', '--timeout'], 'The option --timeout needs a value | For example: --timeout=DURATION'],
  [['logs', '-n', '--json'], 'The option -n needs a value | For example: -n N'],
  [['up', '--json=yes'], 'The option --json takes no value | '],
  [['env'], '"locald env" needs SERVICE | See "locald env --help"'],
  [['why', 'web', 'api'], 'Too many arguments for "locald why": "api" | See "locald why --help"'],
])('parseLine() refuses %j', (argv, message) => {
  expect(refusal(...argv)).toBe(message)
})

test('parseLine() shows help wherever it is asked for, also where arguments are missing', () => {
  expect(parseLine([], commands)).toEqual({ type: 'help', command: null, topic: null })
  expect(parseLine(['--help'], commands)).toEqual({ type: 'help', command: null, topic: null })
  expect(parseLine(['server'], commands)).toEqual({ type: 'help', command: null, topic: 'server' })
  expect(parseLine(['help', 'server'], commands)).toEqual({ type: 'help', command: null, topic: 'server' })
  for (const argv of [
    ['env', '--help'],
    ['-h', 'env'],
    ['help', 'env'],
  ]) {
    expect(parseLine(argv, commands)).toMatchObject({ type: 'help', command: { name: 'env' } })
  }
  expect(parseLine(['--version'], commands)).toEqual({ type: 'version' })
})

test('every command has an example that parses, and no option twice', () => {
  for (const command of commands) {
    expect(command.examples.length).toBeGreaterThan(0)
    for (const [line] of command.examples) {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '').slice(1)
      expect(parse(...words).name).toBe(command.name)
    }
    const names = (command.options ?? []).flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])])
    expect(new Set(names).size).toBe(names.length)
  }
})

test('every handler can be loaded', async () => {
  for (const command of commands) expect(await command.load()).toBeTypeOf('function')
})
