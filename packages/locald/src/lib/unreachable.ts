/** Ends an exhaustive switch: a type error when a case is missing, an exception when the type was wrong. */
export function unreachable(value: never): never {
  throw new Error(`Cannot happen: ${JSON.stringify(value)}`)
}
