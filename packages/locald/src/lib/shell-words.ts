// Splits a command as a shell would, as far as no shell is needed to understand it.

/** Words that only the shell itself understands, where a command begins. */
const shellOnly = new Set(
  `! . : [ { } alias bg break case cd command continue do done elif else esac eval exec exit export fg fi for function
  getopts hash if in jobs local read readonly return select set shift source test then time times trap type ulimit umask
  unalias unset until wait while`.split(/\s+/),
)

/** Null: it has variables, patterns, pipes or anything else that means something to a shell. */
export function shellWords(command: string): readonly string[] | null {
  const words: string[] = []
  let word: string | null = null
  for (let at = 0; at < command.length; at++) {
    const char = command[at] ?? ''
    if (/\s/.test(char)) {
      const isBetween = word !== null || words.length > 0
      if (char === '\n' && isBetween && command.slice(at).trim() !== '') return null
      if (word !== null) words.push(word)
      word = null
    } else if (char === "'") {
      const end = command.indexOf("'", at + 1)
      if (end === -1) return null
      word = (word ?? '') + command.slice(at + 1, end)
      at = end
    } else if (char === '"') {
      const quoted = doubleQuoted(command, at + 1)
      if (quoted === null) return null
      word = (word ?? '') + quoted.text
      at = quoted.end
    } else if (char === '\\') {
      const next = command[++at]
      if (next === undefined) return null
      if (next !== '\n') word = (word ?? '') + next
    } else if (/[$`|&;<>()*?[\]]/.test(char) || (word === null && /[#~]/.test(char))) {
      return null
    } else word = (word ?? '') + char
  }
  if (word !== null) words.push(word)
  const [first = ''] = words
  return shellOnly.has(first) || /^[A-Za-z_]\w*=/.test(first) || first === '' ? null : words
}

function doubleQuoted(command: string, from: number): { readonly text: string; readonly end: number } | null {
  let text = ''
  for (let at = from; at < command.length; at++) {
    const char = command[at] ?? ''
    if (char === '"') return { text, end: at }
    if (char === '$' || char === '`') return null
    if (char === '\\') {
      const next = command[++at] ?? ''
      text += /["\\$`]/.test(next) ? next : next === '\n' ? '' : `\\${next}`
    } else text += char
  }
  return null
}
