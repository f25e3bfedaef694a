// Finds, in what a service wrote before it ended, the line that says why.
import { stripAnsi } from '../lib/terminal-text.ts'

const longest = 300

/** A pattern, and how much a line tells that matches it. The first that matches counts. */
type Rule = readonly [RegExp, number]

/** What surrounds errors: stack frames, places in sources, and package managers that repeat that a command failed. */
const noise: readonly RegExp[] = [
  /^\s+at .+[:)]/u,
  /^\s*File "/u,
  /^Traceback \(most recent/u,
  /^During handling of the above|^The above exception was/u,
  /^Node\.js v\d/u,
  /^\s*[\^~]+\s*$/u,
  /^(?:node:|file:|[/.])\S*:\d+(?::\d+)?$/u,
  /^\s*throw (?:err|new )/u,
  /^\s*(?:code|errno|syscall|requireStack|address|port|generatedMessage|actual|expected|operator):/u,
  /^Require stack:|^- \//u,
  /^npm (?:error|ERR!)(?!.*(?:missing script|could not determine|enoent))/iu,
  /ELIFECYCLE|^error Command failed with exit code|app crashed - waiting/u,
  /^make(?:\[\d+\])?: \*\*\*/u,
  /^note: run with `RUST_BACKTRACE/u,
  /^goroutine \d+ \[|^exit status \d+$/u,
  /^\s*[{}[\]()]*[,;]?\s*$/u,
]

const rules: readonly Rule[] = [
  [/EADDRINUSE|address already in use|port \d+ is (?:already )?in use/iu, 120],
  [/cannot find (?:module|package)|no module named|cannot load such file|module not found/iu, 110],
  [/^(?:Uncaught )?(?:[\w.$]+\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b(?: \[\w+\])?:/u, 100],
  [
    /^Uncaught |^Exception in thread|^panic: |^thread '.*' panicked|^fatal error:|unhandled (?:exception|rejection)/iu,
    100,
  ],
  [/(?:^|\b)(?:FATAL|CRITICAL|PANIC|EMERG)\b/u, 100],
  [/: (?:command )?not found$|: no such file or directory|permission denied$/iu, 95],
  [
    /\b(?:is|are|was|were) (?:not set|not defined|required|missing|undefined|unset)\b|missing (?:required )?(?:env|variable)/iu,
    90,
  ],
  [/^[^A-Za-z]*(?:[\w-]+: )?(?:error|err|failure)\b/iu, 80],
  [/\berror\b/iu, 60],
  [/\bfail(?:ed|ure|s)?\b/iu, 50],
  [/refused|denied|timed? ?out|unable to|can(?:not|'t|’t)|could(?: not|n't)|invalid|missing|unexpected|abort/iu, 40],
]

/**
 * The most telling of these lines, oldest first; of several alike the last, since what is nearest to the end is mostly the
 * cause. Without terminal codes, cut to 300 characters. Null when nothing was written.
 */
export function tellingLine(lines: readonly string[]): string | null {
  let best: { readonly text: string; readonly weight: number } | null = null
  for (const [index, line] of lines.entries()) {
    const own = messageOf(stripAnsi(line).trimEnd())
    // Rust says where before it says what.
    const text = / panicked at .*:$/u.test(own) ? `${own} ${stripAnsi(lines[index + 1] ?? '')}`.trimEnd() : own
    const weight = weightOf(text)
    if (weight !== null && (best === null || weight >= best.weight)) best = { text: text.trim(), weight }
  }
  if (best === null) return null
  return best.text.length > longest ? `${best.text.slice(0, longest - 1)}…` : best.text
}

/** Whether a line by itself says that something went wrong. */
export function isTroubled(line: string): boolean {
  return (weightOf(messageOf(line)) ?? 0) > 0
}

/** Null: says nothing at all. */
function weightOf(text: string): number | null {
  if (text.trim() === '' || noise.some((pattern) => pattern.test(text))) return null
  return rules.find(([pattern]) => pattern.test(text))?.[1] ?? 0
}

/** Of a line that a logger wrote as JSON, what it says. */
function messageOf(line: string): string {
  if (!line.startsWith('{"')) return line
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null) return line
    const fields = new Map<string, unknown>(Object.entries(entry))
    const message = [fields.get('msg'), fields.get('message'), fields.get('error')].find(
      (one) => typeof one === 'string',
    )
    if (typeof message !== 'string') return line
    const level = fields.get('level')
    const isError = typeof level === 'number' ? level >= 50 : /^(?:err|fatal|crit)/iu.test(String(level))
    return isError && !/error/iu.test(message) ? `error: ${message}` : message
  } catch {
    return line // it only looked like JSON
  }
}
