// A notice for a terminal or a log: no colours, no control characters.
import { stripAnsi } from '../../lib/terminal-text.ts'
import type { Notice } from './notice.ts'

const shownLines = 20

/** Pure. */
export function noticeText({ title, detail, facts, chain, lines, linesOf, steps }: Notice): string {
  const blocks = [
    [title + (detail === '' ? '' : `: ${detail}`)],
    facts.map(({ name, value }) => `${name}: ${value}`),
    chain.map(({ service, state, reason }) => `  ${service} (${state}): ${reason}`),
    lines.length === 0 ? [] : [`Last lines of ${linesOf}:`, ...lines.slice(-shownLines).map(({ text }) => `  ${text}`)],
    steps.map(({ text, command }) => (command === null ? text : `${text}: ${command}`)),
  ]
  const shown = blocks.filter((block) => block.length > 0)
  return `${shown.map((block) => block.map((line) => stripAnsi(line).trimEnd()).join('\n')).join('\n\n')}\n`
}
