import { expect, test } from 'vitest'
import { parseReferences, referencesIn, substitute } from './references.ts'
import type { ReferenceMode } from './references.ts'

const variables = new Map([
  ['NAME', 'ada'],
  ['EMPTY', ''],
])

function substituted(text: string, mode: ReferenceMode = 'value'): string {
  return substitute(text, mode, {
    service: ({ service, property }) => (service === 'none' ? undefined : `<${service} ${property}>`),
    variable: (name) => variables.get(name),
    caBundle: '/ca/bundle.pem',
  })
}

test.each([
  ['${services.db.url}/x', '<db url>/x'],
  ['${services.my-api.v2.port}', '<my-api.v2 port>'],
  ['${locald.ca_bundle}', '/ca/bundle.pem'],
  ['${env.NAME}', 'ada'],
  ['${NAME}-${NAME}', 'ada-ada'],
  ['${NAME:-bob}', 'ada'],
  ['${MISSING:-bob}', 'bob'],
  ['${env.MISSING:-bob}', 'bob'],
  ['${EMPTY:-bob}', 'bob'],
  ['${MISSING:-}', ''],
  ['${MISSING}', ''],
  ['${MISSING:-${NAME}}', 'ada'],
  ['${MISSING:-${ALSO:-${services.db.host}}}!', '<db host>!'],
  ['${services.none.url:-http://x}', 'http://x'],
  ['$${NAME}', '${NAME}'],
  ['$$${NAME}', '$${NAME}'],
  ['$NAME $ pa$word', '$NAME $ pa$word'],
  ['$(rm -rf /)', '$(rm -rf /)'],
  ['{"a": {"b": 1}}', '{"a": {"b": 1}}'],
])('substitute() makes of the value %j %j', (text, expected) => {
  expect(substituted(text)).toBe(expected)
})

test.each([
  ['curl ${services.web.url}/health', 'curl <web url>/health'],
  ['echo $PORT ${PORT} ${PORT:-3000} ${PORT:?no port} $$', 'echo $PORT ${PORT} ${PORT:-3000} ${PORT:?no port} $$'],
  ['echo ${env.NAME}', 'echo ${NAME}'],
  ['echo ${env.NAME:-${services.db.host}}', 'echo ${NAME:-<db host>}'],
  ['echo ${X:-${services.db.host}}', 'echo ${X:-<db host>}'],
  ["echo '$${services.db.url}'", "echo '${services.db.url}'"],
  ['echo $${HOME}', 'echo $${HOME}'],
])('substitute() makes of the shell command %j %j', (text, expected) => {
  expect(substituted(text, 'shell')).toBe(expected)
})

test('substitute() never turns the value of a variable into shell syntax', () => {
  variables.set('EVIL', '$(touch /tmp/x); `id`')
  expect(substituted('echo "${env.EVIL}"', 'shell')).toBe('echo "${EVIL}"')
})

test.each(['${services.db}', '${services}', '${}', '${a b}', '${NAME:?message}', '${NAME', '${env.}', '${NAME-x}'])(
  'parseReferences() reports %j as unreadable, and substitute() leaves it',
  (text) => {
    expect(parseReferences(text, 'value')).toEqual([{ kind: 'unreadable', source: text }])
    expect(substituted(text)).toBe(text)
  },
)

test('referencesIn() finds references within defaults', () => {
  const pieces = parseReferences('a ${A:-${services.db.url:-${B}}} z', 'value')
  expect(referencesIn(pieces).map(({ source }) => source)).toEqual([
    '${A:-${services.db.url:-${B}}}',
    '${services.db.url:-${B}}',
    '${B}',
  ])
})
