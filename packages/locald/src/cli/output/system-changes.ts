// What is going to be done to the system, before it is done.
import type { SystemChange } from '../../admin/system-change.ts'
import { shellText } from '../../lib/shell-text.ts'
import type { Style } from './style.ts'
import { wrapped } from './wrapped.ts'

/** Lines for each change: what is written, what takes effect, what to know. `width` null: as wide as one likes. */
export function renderChanges(changes: readonly SystemChange[], style: Style, width: number | null): readonly string[] {
  return changes.flatMap((change, index) => [...(index === 0 ? [] : ['']), ...renderChange(change, style, width)])
}

function renderChange(
  { title, file, effect, notes }: SystemChange,
  style: Style,
  width: number | null,
): readonly string[] {
  const row = (word: string, text: string): string => `  ${style.dim(word.padEnd(7))}${text}`
  const content = file.text?.trimEnd().split('\n') ?? []
  return [
    style.bold(title),
    row(file.text === null ? 'remove' : 'write', file.path),
    ...content.map((line) => row('', style.dim(line))),
    ...(effect === null ? [] : [row(effect.type === 'kernel' ? 'set' : 'run', effectText(effect))]),
    ...notes.flatMap((note) =>
      wrapped(note, (width ?? 100) - 9).map((line, at) => row(at === 0 ? 'note' : '', style.yellow(line))),
    ),
  ]
}

function effectText(effect: NonNullable<SystemChange['effect']>): string {
  return effect.type === 'kernel' ? `${effect.path}: ${effect.from} → ${effect.to}` : shellText(effect.argv)
}
