// From what was read of a configuration to a plan, or to everything that is in its way.
import { LocaldError } from '@locald/protocol'
import type { Diagnostic } from '@locald/protocol'
import type { Config, ConfigResult } from '../config/config.ts'
import { quoteLines } from '../config/quoted-lines.ts'
import type { EnvLayers } from './env-layers.ts'
import { planFor } from './plan-for.ts'
import type { PlanInputs } from './plan-for.ts'
import type { Plan } from './plan.ts'
import { tryEnvLayers } from './read-env-layers.ts'
import type { EnvFault } from './read-env-layers.ts'

/** What planning depends on besides files; asked for once the env files are read. */
export type ReadPlanInputs = (config: Config, layers: EnvLayers) => Omit<PlanInputs, 'layers' | 'unclear'>

export interface ReadPlan {
  readonly plan: Plan
  readonly layers: EnvLayers
  readonly warnings: readonly Diagnostic[]
}

/** A plan, or why there is none. */
type Examined =
  | { readonly ok: true; readonly read: ReadPlan }
  /** `error` has the diagnostics, unless an env file is all that is wrong. */
  | { readonly ok: false; readonly error: LocaldError; readonly diagnostics: readonly Diagnostic[] }

/** Plans what is configured with what the env files say now. Throws everything that is wrong with any of them. */
export async function readPlan(result: ConfigResult, inputs: ReadPlanInputs): Promise<ReadPlan> {
  const examined = await examine(result, inputs)
  if (!examined.ok) throw examined.error
  return examined.read
}

/** As `readPlan`, with what is wrong as data. */
export async function examine(result: ConfigResult, inputs: ReadPlanInputs): Promise<Examined> {
  const part = result.ok ? { config: result.config, unclear: new Set<string>() } : result.sound
  if (part === undefined) return failed('config_invalid', result.diagnostics)
  const { config, unclear } = part
  const { layers, faults } = await tryEnvLayers(config, config.services)
  const planned = planFor(config, { ...inputs(config, layers), layers, unclear })
  if (result.ok && planned.ok && faults.length === 0) {
    const files = [...layers.dotenv, ...[...layers.serviceFiles.values()].flat()]
    const found = [...result.diagnostics, ...files.flatMap((file) => file.diagnostics), ...planned.diagnostics]
    return { ok: true, read: { plan: planned.plan, layers, warnings: inOrder(await quoteLines(found)) } }
  }
  const further = result.ok
    ? planned.diagnostics
    : planned.diagnostics.filter((each) => each.severity === 'error' && !isSaid(each, result.diagnostics))
  const unreadable = faults.filter(({ isMissing }) => result.ok || !isMissing)
  // Of an env file that is not read no line is to blame.
  const quoted = await quoteLines([...result.diagnostics, ...further])
  const diagnostics = inOrder([...quoted, ...unreadable.map(envDiagnostic)])
  const [fault] = unreadable
  if (result.ok && planned.ok && fault !== undefined && unreadable.length === 1) {
    return { ok: false, error: fault.error, diagnostics }
  }
  return failed(result.ok && !planned.ok ? planned.code : 'config_invalid', diagnostics)
}

function failed(code: 'config_invalid' | 'port_exhausted', diagnostics: readonly Diagnostic[]): Examined {
  const file = diagnostics.find(({ severity }) => severity === 'error')?.file
  return { ok: false, error: new LocaldError(code, `Cannot use "${file}"`, { diagnostics }), diagnostics }
}

function envDiagnostic({ file, error }: EnvFault): Diagnostic {
  const { message, hint } = error
  const code = error.code === 'config_refused' ? 'env-file-refused' : 'env-file-unreadable'
  const place = { file, line: 1, column: 1 }
  return { severity: 'error', code, message, ...place, ...(hint === undefined ? {} : { hint }) }
}

/** What reading the configuration looks for by itself, and then names all of. */
const foundByReading = new Set(['unknown-service', 'unknown-reference', 'cycle'])
/** What it calls otherwise when it comes upon it. */
const otherCodes: Readonly<Record<string, string>> = { 'port-shared': 'conflict', 'name-too-long': 'bad-name' }

/** Whether a fault that planning found is among those that reading has found. */
function isSaid({ code, file, line }: Diagnostic, said: readonly Diagnostic[]): boolean {
  return said.some(
    (each) =>
      (each.code === code && foundByReading.has(code)) ||
      ([code, otherCodes[code]].includes(each.code) && each.file === file && each.line === line),
  )
}

/** By file, as they were found, and within one by its lines. */
function inOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const files = [...new Set(diagnostics.map(({ file }) => file))]
  return diagnostics.toSorted(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  )
}
