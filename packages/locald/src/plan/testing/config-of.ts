// Configurations for tests, without a file behind them.
import { parseEnvFile } from '../../config/env-file.ts'
import type { Config, EnvEntry, ServiceConfig } from '../../config/config.ts'
import type { EnvLayers } from '../env-layers.ts'
import { planFor } from '../plan-for.ts'
import type { PlanInputs } from '../plan-for.ts'
import type { Plan } from '../plan.ts'

export const testRoot = '/home/me/shop'
const file = `${testRoot}/locald.toml`

type Dependency =
  | string
  | {
      readonly service: string
      readonly condition?: 'started' | 'healthy' | 'completed'
      readonly restartWith?: boolean
    }

/** What a test says of a service; the rest has the defaults of a service in locald.toml. */
export type ServiceSketch = Partial<Omit<ServiceConfig, 'name' | 'env' | 'dependsOn'>> & {
  readonly env?: Readonly<Record<string, string>>
  readonly dependsOn?: readonly Dependency[]
}

/** The nth service stands on line 10 · n, its nth variable n lines below; the nth variable of `[env]` on line n. */
export function configOf(
  services: Readonly<Record<string, ServiceSketch>>,
  rest: Partial<Omit<Config, 'services' | 'env'>> & { readonly env?: Readonly<Record<string, string>> } = {},
): Config {
  const { env = {}, ...others } = rest
  return {
    file,
    format: 'toml',
    root: testRoot,
    id: 'a1b2c3',
    name: 'shop',
    domain: 'shop.localhost',
    domains: [],
    env: entriesOf(env, 0),
    services: Object.entries(services).map(([name, sketch], index) => serviceOf(name, sketch, 10 * (index + 1))),
    routes: [],
    logs: { segmentBytes: 10_000_000, segments: 5, totalBytes: 1_000_000_000 },
    ...others,
  }
}

function serviceOf(name: string, { env = {}, dependsOn = [], ...sketch }: ServiceSketch, line: number): ServiceConfig {
  const place = { file, line, column: 1 }
  return {
    name,
    type: 'auto',
    listening: 'may',
    command: `run ${name}`,
    workdir: testRoot,
    portDiscovery: 'auto',
    env: entriesOf(env, line),
    envFiles: [],
    dependsOn: dependsOn.map((dependency) => ({
      condition: 'healthy',
      restartWith: false,
      place,
      ...(typeof dependency === 'string' ? { service: dependency } : dependency),
    })),
    onUnhealthy: 'ignore',
    startTimeoutMs: 60_000,
    restart: 'on-failure',
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
    stopScope: 'group',
    watch: [],
    tty: true,
    replicas: 1,
    start: 'up',
    domains: [],
    place,
    ...sketch,
  }
}

function entriesOf(env: Readonly<Record<string, string>>, line: number): readonly EnvEntry[] {
  return Object.entries(env).map(([name, value], index) => ({
    name,
    value,
    place: { file, line: line + index + 1, column: 1 },
  }))
}

/** Env files from their text: `.env`, and one for each service named. */
export function layersOf(dotenv: string, serviceFiles: Readonly<Record<string, string>> = {}): EnvLayers {
  return {
    dotenv: [parseEnvFile(dotenv, `${testRoot}/.env`)],
    serviceFiles: new Map(
      Object.entries(serviceFiles).map(([name, text]) => [name, [parseEnvFile(text, `${testRoot}/.env.${name}`)]]),
    ),
  }
}

/** The plan, which the test expects there to be. */
export function planOf(config: Config, inputs: PlanInputs = {}): Plan {
  const result = planFor(config, inputs)
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('\n'))
  return result.plan
}
