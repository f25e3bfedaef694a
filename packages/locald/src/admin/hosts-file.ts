// What `locald admin sync-hosts` is going to do to a hosts file: which names it writes, and which it must not take over.
import { hostname } from 'node:os'
import { isWritableName, isPublicName } from './writable-name.ts'
import { foreignEntries, namesInBlock, strayMarkers, withNames } from './hosts-block.ts'

export interface HostsPlan {
  /** The whole file as it will be. */
  readonly text: string
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly kept: readonly string[]
  /** The rest of the file leads them to this machine already. */
  readonly present: readonly string[]
  /** Not written, each with the reason. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[]
  /** What somebody should know. */
  readonly warnings: readonly string[]
}

/** The block will hold those of `names` that it may. */
export function planHosts(text: string, names: readonly string[]): HostsPlan {
  const before = namesInBlock(text)
  const foreign = foreignEntries(text)
  const wanted: string[] = []
  const present: string[] = []
  const refused: { name: string; reason: string }[] = []
  for (const name of new Set(names.map((one) => one.toLowerCase()))) {
    const reason = refusalOf(name, foreign.get(name) ?? [])
    if (reason !== null) refused.push({ name, reason })
    else if (foreign.has(name)) present.push(name)
    else wanted.push(name)
  }
  return {
    text: withNames(text, wanted),
    added: wanted.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !wanted.includes(name)),
    kept: wanted.filter((name) => before.includes(name)),
    present,
    refused,
    warnings: warningsOf(text, wanted),
  }
}

function refusalOf(name: string, addresses: readonly string[]): string | null {
  if (name === 'localhost' || name === hostname().toLowerCase()) return 'it is the name of this machine'
  if (!isWritableName(name)) return 'it is not the name of a host'
  const other = addresses.find((address) => !/^127\.|^::1$/.test(address))
  return other === undefined ? null : `the file leads it to ${other} already`
}

function warningsOf(text: string, names: readonly string[]): readonly string[] {
  const open = names.filter(isPublicName)
  return [
    ...open.map(
      (name) => `"${name}" is a name of the internet; this machine reaches only itself by it, until it is removed`,
    ),
    ...(strayMarkers(text) === 0
      ? []
      : [
          'A line "# locald begin" or "# locald end" stands without the other one; it was left alone, remove it by hand',
        ]),
  ]
}
