// Tables for people: aligned columns without rules; in a narrow terminal the least important columns go first.
import { padEnd, padStart, textWidth, truncate } from './text-width.ts'
import type { Style } from './style.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** The highest goes first when it gets narrow; 0 (default) never goes, but may be cut. */
  readonly spare?: number
}

export interface Cell {
  readonly text: string
  /** Applied after cutting and padding. */
  readonly paint?: (text: string) => string
}

export interface TableOptions {
  /** Columns of the terminal; null: as wide as it needs. */
  readonly width: number | null
  readonly style: Style
}

const gap = '  '

/** Lines of the table, its titles first. A column in which nothing stands but `-` or nothing still shows. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { width, style }: TableOptions,
): readonly string[] {
  const natural = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[index]?.text ?? ''))),
  )
  const shown = fittingColumns(columns, natural, width)
  const widths = cutWidths(
    shown.map((index) => natural[index] ?? 0),
    width,
  )
  const line = (cells: readonly Cell[]): string =>
    shown
      .map((index, place) => {
        const cell = cells[index] ?? { text: '' }
        const columnWidth = widths[place] ?? 0
        const pad = columns[index]?.align === 'right' ? padStart : padEnd
        const isLast = place === shown.length - 1 && columns[index]?.align !== 'right'
        const cut = truncate(cell.text, columnWidth)
        return (cell.paint ?? ((text: string) => text))(isLast ? cut : pad(cut, columnWidth))
      })
      .join(gap)
      .trimEnd()
  const titles = columns.map((column) => ({ text: column.title, paint: style.dim }))
  return [line(titles), ...rows.map(line)]
}

/** Indices of the columns that fit, in order. */
function fittingColumns(
  columns: readonly Column[],
  natural: readonly number[],
  width: number | null,
): readonly number[] {
  let shown = columns.map((_, index) => index)
  if (width === null) return shown
  const total = (): number => shown.reduce((sum, index) => sum + (natural[index] ?? 0), gap.length * (shown.length - 1))
  while (total() > width) {
    const [first] = shown
      .filter((index) => (columns[index]?.spare ?? 0) > 0)
      .sort((a, b) => (columns[b]?.spare ?? 0) - (columns[a]?.spare ?? 0))
    if (first === undefined) break
    shown = shown.filter((index) => index !== first)
  }
  return shown
}

/** Takes what is too much from the widest column, again and again. */
function cutWidths(widths: readonly number[], width: number | null): readonly number[] {
  const result = [...widths]
  if (width === null) return result
  let excess = result.reduce((sum, each) => sum + each, gap.length * (result.length - 1)) - width
  while (excess > 0) {
    const widest = Math.max(...result)
    if (widest <= 1) break
    result[result.indexOf(widest)] = widest - 1
    excess -= 1
  }
  return result
}
