// Words as one line that a shell reads as these words.

export function shellText(words: readonly string[]): string {
  return words.map(shellWord).join(' ')
}

/** Quoted only where it has to be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
