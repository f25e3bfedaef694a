import { expect, test } from 'vitest'
import { parseProfiles } from './profiles-ini.ts'

test('parseProfiles() finds profiles beside the list and anywhere else', () => {
  const text = [
    '[Install4F96D1932A9F858E]',
    'Default=abcd.default-release',
    'Locked=1',
    '',
    '[Profile1]',
    'Name=default',
    'IsRelative=1',
    'Path=abcd.default',
    'Default=1',
    '',
    '[Profile0]',
    'Name=dev-edition-default',
    'IsRelative=0',
    'Path=/data/firefox/dev edition ',
    '',
    '[General]',
    'StartWithLastProfile=1',
    'Path=not-a-profile',
    '[Profile2]',
    'Name=empty',
  ]
  expect(parseProfiles(text.join('\r\n'), '/home/ann/.mozilla/firefox')).toEqual([
    { name: 'default', directory: '/home/ann/.mozilla/firefox/abcd.default' },
    { name: 'dev-edition-default', directory: '/data/firefox/dev edition' },
  ])
})

test.each(['', 'garbage', '[Profile0', '[Profile0]\nPath='])('parseProfiles() finds none in %j', (text) => {
  expect(parseProfiles(text, '/base')).toEqual([])
})
