// Chooses what of recorded terminal output to show again to somebody who comes late.

/** Entering and leaving the alternate screen, as xterm numbers it. https://invisible-island.net/xterm/ctlseqs/ctlseqs.html */
const entersAlternate = /\x1b\[\?(?:\d+;)*(?:1049|1047|47)(?:;\d+)*h/g // oxlint-disable-line no-control-regex -- what it is about
const leavesAlternate = /\x1b\[\?(?:\d+;)*(?:1049|1047|47)(?:;\d+)*l/g // oxlint-disable-line no-control-regex -- what it is about

/**
 * What a terminal answers to, and what acts beyond the screen: control sequences that end with c, n, t or x, those that
 * ask for modes, versions and keyboards, and every string (title, clipboard, device control). `ESC Z` and ENQ ask, too.
 */
const notForReplay =
  /\x1b\[[\x30-\x3f]*[\x20-\x2f]*[cntx]|\x1b\[\?[\d;]*\$p|\x1b\[[\d;]*\$p|\x1b\[>[\d;]*q|\x1b\[\?[\d;]*u|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1bZ|\x05/g // oxlint-disable-line no-control-regex -- what it is about

/**
 * The last screenful of `output`, without anything that a terminal would answer: its answer would reach the program as input
 * that nobody typed. A program on the alternate screen is shown from where it entered that. Works on bytes as latin1
 * text, so that nothing of a character is taken for a control.
 */
export function lastScreenful(output: Buffer, rows: number): Buffer {
  const text = output.toString('latin1')
  const entered = lastIndex(text, entersAlternate)
  const start = entered > lastIndex(text, leavesAlternate) ? entered : startOfLastLines(text, rows)
  return Buffer.from(text.slice(start).replace(notForReplay, ''), 'latin1')
}

function lastIndex(text: string, pattern: RegExp): number {
  let last = -1
  for (const match of text.matchAll(pattern)) last = match.index
  return last
}

/** The line that is being written counts as one. */
function startOfLastLines(text: string, lines: number): number {
  let at = text.length
  for (let left = lines; left > 0; left--) {
    at = at === 0 ? -1 : text.lastIndexOf('\n', at - 1)
    if (at < 0) return 0
  }
  return at + 1
}
