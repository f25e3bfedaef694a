// What an expression cannot match without: looking for plain bytes is much quicker than matching.

/** These stand for themselves, alone and after a backslash. */
const plain = /[A-Za-z0-9 _=/:;,<>"'@#%&~`!-]/
/** These do after a backslash. */
const escapable = /[\^$\\.*+?()[\]{}|/-]/

/**
 * The longest text that is in every match; null when none is seen. Only what stands outside of groups counts, and nothing
 * if there is a choice anywhere.
 */
export function requiredText({ source, flags }: RegExp): string | null {
  if (flags.includes('i') || source.includes('|')) return null
  let longest = ''
  let run = ''
  const end = (): void => {
    if (run.length > longest.length) longest = run
    run = ''
  }
  for (let at = 0; at < source.length;) {
    const piece = pieceAt(source, at)
    at = piece.end
    const quantifier = /^(?:[?*+]|\{\d+(?:,\d*)?\})\??/.exec(source.slice(at, at + 20))?.[0] ?? ''
    at += quantifier.length
    const isOptional = /^(?:[?*]|\{0)/.test(quantifier)
    if (piece.text === null || isOptional) end()
    else {
      run += piece.text
      if (quantifier !== '') end()
    }
  }
  end()
  return longest === '' ? null : longest
}

/** One character that stands for itself, or something else as a whole. */
function pieceAt(source: string, at: number): { readonly text: string | null; readonly end: number } {
  const char = source[at] ?? ''
  if (char === '\\') {
    const next = source[at + 1] ?? ''
    if (escapable.test(next)) return { text: next, end: at + 2 }
    return { text: null, end: escapeEnd(source, at) }
  }
  if (char === '[') return { text: null, end: classEnd(source, at) }
  if (char === '(') return { text: null, end: groupEnd(source, at) }
  return { text: plain.test(char) ? char : null, end: at + 1 }
}

/** `\d`, `\x41`, `\u{1f600}`, `\p{L}`, `\k<name>`, `\cA`, `\12`. */
function escapeEnd(source: string, at: number): number {
  const escape = /^\\(?:x[0-9A-Fa-f]{2}|u\{[^}]*\}|u[0-9A-Fa-f]{4}|[pP]\{[^}]*\}|k<[^>]*>|c[A-Za-z]|\d+|[^])/
  return at + (escape.exec(source.slice(at))?.[0].length ?? 1)
}

function classEnd(source: string, at: number): number {
  for (let end = at + 1; end < source.length; end++) {
    if (source[end] === '\\') end++
    else if (source[end] === ']') return end + 1
  }
  return source.length
}

function groupEnd(source: string, at: number): number {
  let depth = 0
  for (let end = at; end < source.length;) {
    const char = source[end]
    if (char === '[') {
      end = classEnd(source, end)
      continue
    }
    if (char === '(') depth++
    if (char === ')' && --depth === 0) return end + 1
    end += char === '\\' ? 2 : 1
  }
  return source.length
}
