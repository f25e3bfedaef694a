// A command that listens where it is told, made of one that may not: by flags behind it, also through scripts of a
// package.json. The script itself runs as it is written; what stands behind the command only reaches its last program.
import { shellWords } from '../lib/shell-words.ts'
import { frameworkFlags } from './framework-flags.ts'

export interface PortCommand {
  /** For a shell. */
  readonly command: string
  /** What is told its port by flags; null: it gets PORT, and where it listens is found out. */
  readonly framework: string | null
}

/** Scripts of the package.json that the command would use, by name. */
export type Scripts = Readonly<Record<string, string>>

interface Appended {
  readonly framework: string
  readonly words: readonly string[]
}

/** Scripts that call each other in a circle end there. */
const maxDepth = 8

export function portCommand(command: string, scripts: Scripts): PortCommand {
  const appended = appendedTo(command, scripts, maxDepth)
  if (appended === null) return { command, framework: null }
  const words = appended.words.map((word) => (word === '$PORT' ? '"$PORT"' : word))
  return { command: `${command.trimEnd()} ${words.join(' ')}`, framework: appended.framework }
}

/** What has to stand behind a command line of a shell. */
function appendedTo(line: string, scripts: Scripts, depth: number): Appended | null {
  if (depth === 0) return null
  const words = shellWords(lastCommand(line))
  const program = words === null ? null : withoutWrappers(words)
  if (program === null) return null
  const call = scriptCall(program, scripts)
  if (call === null) {
    const known = frameworkFlags(program)
    return known === null ? null : { framework: known.framework, words: known.flags }
  }
  const inner = appendedTo(call.script, scripts, depth - 1)
  return inner === null ? null : { ...inner, words: [...call.separator, ...inner.words] }
}

/** The last one of a list, without the variables before it: what stands behind the line reaches that one. */
function lastCommand(line: string): string {
  const quoted = /'[^']*'|"(?:[^"\\]|\\[^])*"/g
  const bare = line.replaceAll(quoted, (text) => '_'.repeat(text.length))
  const at = /^.*(?:&&|;)/s.exec(bare)?.[0].length ?? 0
  return line.slice(at).replace(/^\s*(?:[A-Za-z_]\w*=(?:'[^']*'|"[^"$`\\]*"|[^\s'"$`\\;&|]*)\s+)*/, '')
}

/** Programs that set something up and then become the next one. */
function withoutWrappers(words: readonly string[]): readonly string[] | null {
  const [first = '', ...rest] = words
  if (first === 'env' || first === 'cross-env') {
    const at = rest.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))
    return at === -1 || rest[at]?.startsWith('-') === true ? null : withoutWrappers(rest.slice(at))
  }
  if (first === 'dotenv' || first === 'dotenvx' || first === 'env-cmd') {
    const at = rest.indexOf('--')
    return at === -1 ? null : withoutWrappers(rest.slice(at + 1))
  }
  if (['npx', 'bunx', 'pnpx'].includes(first)) return afterFlags(rest)
  const [second = ''] = rest
  const isExec =
    (['npm', 'pnpm', 'yarn'].includes(first) && ['exec', 'dlx', 'x'].includes(second)) ||
    (first === 'bun' && second === 'x')
  return isExec ? afterFlags(rest.slice(1)) : words
}

/** Flags without values, as far as anybody can tell from outside; a package is named without its version. */
function afterFlags(words: readonly string[]): readonly string[] | null {
  const at = words.findIndex((word) => !/^(-y|--yes|--no|--no-install|--bun|--silent|-s|--)$/.test(word))
  const [program = '', ...args] = words.slice(at)
  if (at === -1 || program.startsWith('-')) return null
  return [
    program
      .replace(/(.)@[^@/]*$/, '$1')
      .replace(/^@angular\/cli$/, 'ng')
      .replace(/^@react-router\/dev$/, 'react-router'),
    ...args,
  ]
}

interface ScriptCall {
  readonly script: string
  /** npm keeps flags for itself until it meets `--`; the others pass on everything behind the name. */
  readonly separator: readonly string[]
}

/** Null: it is no call of a script, or one of another package's. */
function scriptCall([manager = '', ...rest]: readonly string[], scripts: Scripts): ScriptCall | null {
  if (!['npm', 'pnpm', 'yarn', 'bun'].includes(manager)) return null
  const words = rest.filter((word) => !/^(--silent|-s|--bun)$/.test(word))
  const isRun = words[0] === 'run' || words[0] === 'run-script'
  const name = isRun ? words[1] : words[0]
  // Of npm only these are scripts without "run"; to the others every script is a command.
  if (name === undefined || (!isRun && manager === 'npm' && !['start', 'test'].includes(name))) return null
  const script = Object.hasOwn(scripts, name) ? scripts[name] : undefined
  if (script === undefined) return null
  const isSeparated = manager !== 'npm' || words.includes('--')
  return { script, separator: isSeparated ? [] : ['--'] }
}
