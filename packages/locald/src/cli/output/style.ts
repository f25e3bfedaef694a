// Colours and weights of text, or none.
import { safeText, stripAnsi } from '../../lib/terminal-text.ts'

export type StyleName = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan'

/** Wraps text in the codes of a style; returns it as it is where colours are off. */
export type Style = Readonly<Record<StyleName, (text: string) => string>> & {
  /** Text of others, such as a line of a service: without power over the terminal, and with its colours only where they are on. */
  readonly foreign: (text: string) => string
}

const codes: Readonly<Record<StyleName, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
}

/** The colours of services in turn, in foreman's order. */
const serviceColours: readonly StyleName[] = ['cyan', 'yellow', 'green', 'magenta', 'red', 'blue']

export function styleFor(colours: boolean): Style {
  const of = (name: StyleName): ((text: string) => string) => {
    const [on, off] = codes[name]
    return colours ? (text) => (text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`) : (text) => text
  }
  return {
    bold: of('bold'),
    dim: of('dim'),
    red: of('red'),
    green: of('green'),
    yellow: of('yellow'),
    blue: of('blue'),
    magenta: of('magenta'),
    cyan: of('cyan'),
    foreign: colours ? safeText : stripAnsi,
  }
}

/** The same service has the same colour wherever its place in the list is the same. */
export function serviceColour(index: number): StyleName {
  return serviceColours[index % serviceColours.length] ?? 'cyan'
}

/**
 * Whether to write colours: `FORCE_COLOR`, then `NO_COLOR` (https://no-color.org), then whether it is a terminal that has some.
 */
export function wantsColours(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const force = env['FORCE_COLOR']
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false'
  const no = env['NO_COLOR']
  if (no !== undefined && no !== '') return false
  return isTerminal && env['TERM'] !== 'dumb'
}
