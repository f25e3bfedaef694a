// Turns what the schema objects to into faults that name the key, what is expected and the nearest right name.
import { z } from 'zod'
import { healthCheckTables } from '@locald/protocol/config'
import { nearestName } from '../lib/nearest-name.ts'
import type { Fault } from './source-text.ts'
import type { TomlPath } from './toml-index.ts'

/** A fault of the data at a path. */
export interface DataFault extends Fault {
  readonly path: TomlPath
  /** Which of the two the user has to look at. */
  readonly at: 'key' | 'value'
}

type Issue = z.core.$ZodIssue

/** All faults of `data`; empty when it conforms. */
export function schemaFaults(schema: z.ZodType, data: unknown): readonly DataFault[] {
  return faultsIn(schema, data, [])
}

/** `around`: where the data stands in the file, for naming its table. */
function faultsIn(schema: z.ZodType, data: unknown, around: TomlPath): readonly DataFault[] {
  const result = schema.safeParse(data, { reportInput: true })
  if (result.success) return []
  const faults = result.error.issues.flatMap((issue) => faultsOf({ schema, data, around }, issue, []))
  // Several objections to one health check lead to the same faults.
  return [...new Map(faults.map((fault) => [JSON.stringify([fault.path, fault.message]), fault])).values()]
}

interface Whole {
  readonly schema: z.ZodType
  readonly data: unknown
  readonly around: TomlPath
}

function faultsOf(whole: Whole, issue: Issue, base: TomlPath): readonly DataFault[] {
  const { data } = whole
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  const check = path.lastIndexOf('health_check') + 1
  if (check > 0) {
    const value = valueAt(data, path.slice(0, check))
    if (isTable(value)) return healthCheckFaults(value, path.slice(0, check), whole.around)
  }
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(whole, [...path, key]))
    case 'invalid_union':
      return unionFaults(whole, issue, path)
    case 'invalid_type':
      if (valueAt(data, path) === undefined) return [missing(whole, path)]
      return [
        {
          path,
          at: 'value',
          code: 'wrong-type',
          message: `${subject(data, path)}: expected ${typeName(issue.expected)}`,
        },
      ]
    case 'invalid_value':
      return [badValue(data, path, issue.values.map(String))]
    case 'invalid_key':
      return [{ path, at: 'key', code: 'bad-name', message: `"${String(path.at(-1))}" cannot be a name here` }]
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`
      const empty = issue.code === 'too_small' && issue.origin !== 'number' && issue.origin !== 'int'
      const expected = empty ? 'it must not be empty' : `expected ${limit}`
      return [{ path, at: 'value', code: 'bad-value', message: `${subject(data, path)}: ${expected}` }]
    }
    case 'invalid_format':
      return [{ path, at: 'value', code: 'bad-value', message: `${subject(data, path)}: ${lowerFirst(issue.message)}` }]
    default:
      return [{ path, at: 'value', code: 'bad-value', message: `${subject(data, path)}: ${lowerFirst(issue.message)}` }]
  }
}

/** Of the alternatives, the one that was meant is the one that objects to details and not to the value as a whole. */
function unionFaults(whole: Whole, issue: z.core.$ZodIssueInvalidUnion, path: TomlPath): readonly DataFault[] {
  const { data } = whole
  const value = valueAt(data, path)
  if (value === undefined) return [missing(whole, path)]
  const meant = issue.errors.filter((branch) => !branch.some((inner) => isAboutTheWhole(inner)))
  const best = meant.toSorted((a, b) => a.length - b.length)[0]
  if (best !== undefined) return best.flatMap((inner) => faultsOf(whole, inner, path))
  const rightType = issue.errors.some((branch) => branch.every((inner) => inner.code !== 'invalid_type'))
  const code = rightType || typeof value === 'string' ? 'bad-value' : 'wrong-type'
  return [{ path, at: 'value', code, message: `${subject(data, path)}: ${lowerFirst(issue.message)}` }]
}

function isAboutTheWhole(issue: Issue): boolean {
  return issue.path.length === 0 && issue.code !== 'unrecognized_keys'
}

function healthCheckFaults(
  value: Readonly<Record<string, unknown>>,
  path: TomlPath,
  around: TomlPath,
): readonly DataFault[] {
  const types = Object.keys(healthCheckTables)
  const type = value['type'] ?? ('command' in value ? 'command' : undefined)
  if (type === undefined) {
    const hint = 'path' in value ? 'Add type = "http"' : `Add a type: ${types.join(', ')}`
    return [{ path, at: 'value', code: 'missing', message: 'The health_check has no type', hint }]
  }
  if (!isHealthCheckType(type)) return [badValue({ value: type }, ['value'], types, [...path, 'type'])]
  return faultsIn(healthCheckTables[type], value, [...around, ...path]).map((fault) => relocate(fault, path, type))
}

function isHealthCheckType(type: unknown): type is keyof typeof healthCheckTables {
  return typeof type === 'string' && Object.hasOwn(healthCheckTables, type)
}

function relocate(fault: DataFault, path: TomlPath, type: string): DataFault {
  const key = String(fault.path.at(-1))
  const others = Object.entries(healthCheckTables).filter(([, table]) => Object.hasOwn(table.shape, key))
  if (fault.code !== 'unknown-key' || others.length === 0) return { ...fault, path: [...path, ...fault.path] }
  const owners = others.map(([name]) => name).join(', ')
  const message = `"${key}" is not a key of a ${type} check`
  return { ...fault, path: [...path, ...fault.path], message, hint: `It belongs to: ${owners}` }
}

function missing({ around }: Whole, path: TomlPath): DataFault {
  const message = `"${String(path.at(-1))}" is missing in ${tableName([...around, ...path])}`
  return { path: path.slice(0, -1), at: 'key', code: 'missing', message }
}

function badValue(data: unknown, path: TomlPath, allowed: readonly string[], shownPath = path): DataFault {
  const value = valueAt(data, path)
  const list = allowed.map((one) => `"${one}"`).join(', ')
  const near = typeof value === 'string' ? nearestName(value, allowed) : undefined
  const code = typeof value === 'string' ? 'bad-value' : 'wrong-type'
  const message = `"${String(shownPath.at(-1))}" is ${describe(value)}: expected ${allowed.length > 1 ? 'one of ' : ''}${list}`
  return {
    path: shownPath,
    at: 'value',
    code,
    message,
    ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
  }
}

/** What people write who come from other tools. */
const otherWords: Readonly<Record<string, string>> = {
  cmd: 'command',
  run: 'command',
  exec: 'command',
  script: 'command',
  args: 'command',
  cwd: 'workdir',
  dir: 'workdir',
  directory: 'workdir',
  working_dir: 'workdir',
  root: 'workdir',
  environment: 'env',
  dotenv: 'env_file',
  needs: 'depends_on',
  requires: 'depends_on',
  after: 'depends_on',
  healthcheck: 'health_check',
  readiness_probe: 'health_check',
  liveness_probe: 'health_check',
  availability: 'restart',
  autorestart: 'restart',
  signal: 'stop_signal',
  kill_timeout: 'stop_timeout',
  grace_period: 'stop_timeout',
  instances: 'replicas',
  scale: 'replicas',
  cron: 'schedule',
  pty: 'tty',
  ports: 'port',
  host: 'domains',
  service: 'services',
  processes: 'services',
}

function unknownKey({ schema, data, around }: Whole, path: TomlPath): DataFault {
  const key = String(path.at(-1))
  const known = keysAt(schema, path.slice(0, -1))
  const synonym = otherWords[key.toLowerCase()]
  const near = nearestName(key, known) ?? (synonym !== undefined && known.includes(synonym) ? synonym : undefined)
  const hint =
    near !== undefined
      ? `Did you mean "${near}"?`
      : (belongsElsewhere(schema, data, path) ?? (known.length === 0 ? undefined : `Known keys: ${known.join(', ')}`))
  const message = `Unknown key "${key}" in ${tableName([...around, ...path])}`
  return { path, at: 'key', code: 'unknown-key', message, hint }
}

function belongsElsewhere(schema: z.ZodType, data: unknown, path: TomlPath): string | undefined {
  const key = String(path.at(-1))
  const inService = keysAt(schema, ['services', ''])
  if (path.length === 1 && isTable(valueAt(data, path)) && !inService.includes(key)) {
    return `If it is a service, write [services.${key}]`
  }
  if (path[0] !== 'services' && inService.includes(key)) return 'It belongs to a service: [services.<name>]'
  if (path.length === 3 && keysAt(schema, ['services', '', 'health_check']).includes(key))
    return 'It belongs into health_check'
  return undefined
}

/** The keys that tables at this path may have. */
function keysAt(schema: z.ZodType, path: TomlPath): readonly string[] {
  const here = unwrap(schema)
  const [first, ...rest] = path
  if (here instanceof z.ZodUnion) {
    return [...new Set(here.options.flatMap((option) => (option instanceof z.ZodType ? keysAt(option, path) : [])))]
  }
  if (first === undefined) return here instanceof z.ZodObject ? Object.keys(here.shape) : []
  const next: unknown =
    here instanceof z.ZodObject
      ? here.shape[String(first)]
      : here instanceof z.ZodRecord
        ? here.valueType
        : here instanceof z.ZodArray
          ? here.element
          : undefined
  return next instanceof z.ZodType ? keysAt(next, rest) : []
}

function unwrap(schema: z.ZodType): z.ZodType {
  const inner: unknown = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  return inner instanceof z.ZodType ? inner : schema
}

function subject(data: unknown, path: TomlPath): string {
  const last = path.at(-1)
  const name = typeof last === 'number' ? `Item ${last + 1} of "${String(path.at(-2))}"` : `"${String(last)}"`
  return `${name} is ${describe(valueAt(data, path))}`
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? 'a long string' : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a date'
  return value === undefined ? 'missing' : 'a table'
}

function typeName(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: 'a string',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a table',
    record: 'a table',
    array: 'a list',
  }
  return names[expected] ?? expected
}

function tableName(path: TomlPath): string {
  const table = path.slice(0, -1).filter((part) => typeof part === 'string')
  return table.length === 0 ? 'the file' : `[${table.join('.')}]`
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function valueAt(data: unknown, path: TomlPath): unknown {
  let value = data
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = Reflect.get(value, part)
  }
  return value
}
