// Writes keys and strings of TOML as a person would.

/** A key, quoted where it has to be. */
export function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : tomlString(name)
}

/** A literal string where that saves backslashes. https://toml.io/en/v1.0.0#string */
export function tomlString(text: string): string {
  const isPlain = !/[^\P{Cc}\t]/u.test(text)
  if (isPlain && /["\\]/.test(text) && !text.includes("'")) return `'${text}'`
  return JSON.stringify(text).replaceAll('\u007F', '\\u007F')
}
