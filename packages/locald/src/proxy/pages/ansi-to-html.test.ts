import { expect, test } from 'vitest'
import { ansiToHtml } from './ansi-to-html.ts'

test('markup in a line is text', () => {
  expect(ansiToHtml(`<b onclick="x('&')">`)).toBe('&lt;b onclick=&quot;x(&#39;&amp;&#39;)&quot;&gt;')
})

test('colours become classes and end where they ended', () => {
  expect(ansiToHtml('\u001b[31mred\u001b[39m plain \u001b[1;92mbold\u001b[0m.')).toBe(
    '<span class="f1">red</span> plain <span class="bo f10">bold</span>.',
  )
})

test.each([
  ['the palette', '38;5;196', 'f9'],
  ['a grey of the palette', '38;5;244', 'f8'],
  ['its own colour', '38;2;20;90;200', 'f4'],
  ['colons', '38:2:20:90:200', 'f4'],
  ['a ground', '44', 'g4'],
])('a colour by %s is one of sixteen', (_name, codes, name) => {
  expect(ansiToHtml(`\u001b[${codes}mx`)).toBe(`<span class="${name}">x</span>`)
})

test('inverse swaps text and ground', () => {
  expect(ansiToHtml('\u001b[7;31;42mx\u001b[27my')).toBe('<span class="f2 g1">x</span><span class="f1 g2">y</span>')
})

test('bold ends without its colour', () => {
  expect(ansiToHtml('\u001b[1;4;36ma\u001b[22mb\u001b[24mc')).toBe(
    '<span class="bo un f6">a</span><span class="un f6">b</span><span class="f6">c</span>',
  )
})

test('what else a terminal acts on is gone', () => {
  expect(ansiToHtml('\u001b]8;;javascript:alert(1)\u001b\\link\u001b]8;;\u001b\\\u001b[2J\u001b[999;5mx\r')).toBe(
    'linkx',
  )
})

test('a colour that is cut off or unknown does no harm', () => {
  expect(ansiToHtml('\u001b[38;5mx\u001b[38;2;1mz\u001b[38;5;999my')).toMatch(/^(?:<span class="[fg]\d+">)?x/u)
  expect(ansiToHtml('\u001b[31')).toBe('')
})
