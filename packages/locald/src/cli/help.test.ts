import { expect, test } from 'vitest'
import { commands } from './commands.ts'
import { renderCommandHelp, renderHelp } from './help.ts'
import { styleFor } from './output/style.ts'
import { textWidth } from './output/text-width.ts'

const style = styleFor(false)

test.each([80, 120])('help fits a terminal of %d columns, whichever command it is on', (width) => {
  const pages = [
    renderHelp(commands, null, { style, width }),
    ...commands.map((command) => renderCommandHelp(command, { style, width })),
  ]
  // What is to be typed as it stands is never broken; nothing of that is so long.
  const tooLong = pages.flatMap((page) => page.split('\n').filter((line) => textWidth(line) > width))
  expect(tooLong).toEqual([])
})

test('what does not fit beside an option goes on below its beginning', () => {
  const up = commands.find(({ name }) => name === 'up')
  const lines = up === undefined ? [] : renderCommandHelp(up, { style, width: 80 }).split('\n')
  const at = lines.findIndex((line) => line.includes('--env'))
  expect(lines.slice(at, at + 2)).toEqual([
    '      --env KEY=VALUE     Set a variable for every service, above all other',
    '                          places; may be repeated',
  ])
})

test('in a pipe an option is one line', () => {
  const up = commands.find(({ name }) => name === 'up')
  const page = up === undefined ? '' : renderCommandHelp(up, { style, width: null })
  expect(page).toMatch(/--env KEY=VALUE +Set a variable .*; may be repeated$/mu)
})
