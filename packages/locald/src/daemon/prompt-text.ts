// Tells by its text whether a terminal has been left at a question.
import { stripAnsi } from '../lib/terminal-text.ts'

/**
 * What a whole line ends with that asks: a question mark, or a choice such as `[y/N]`. Tools that take keys at any time (`press h +
 * enter to show help`) wait for their terminal just as well, and ask nothing.
 */
const question = /(?:\?|[[(]y(?:es)?\/no?[\])]:?)$/i

/** Whether something that can be seen stands in the last line, or a whole line before it asks something. */
export function endsWithPrompt(text: string): boolean {
  const lines = stripAnsi(text).split('\n')
  const open = lines.pop() ?? ''
  if (open.trim() !== '') return true
  return question.test((lines.findLast((line) => line.trim() !== '') ?? '').trim())
}
