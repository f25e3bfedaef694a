// The schema of locald.toml: the shape of what a user writes. Defaults and rules across keys belong to the loader; the
// JSON Schema for editors is generated from this. Kept out of the package's index because it needs zod.
import { z } from 'zod'

const described = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description })

const durationPattern = /^\s*\d+(\.\d+)?\s*(ms|s|m|h)(\s*\d+(\.\d+)?\s*(ms|s|m|h))*\s*$/
const durationError = 'Expected a duration: "500ms", "2s", "1m", "1h", or a number of seconds'
const durationText = z.string().regex(durationPattern, { error: durationError })
const duration = z.union([durationText, z.number().nonnegative()], { error: durationError })
const sizeError = 'Expected a size: "10MB", "512KiB", or a number of bytes'
const sizeText = z.string().regex(/^\s*\d+(\.\d+)?\s*([kKmMgGtT]i?)?[bB]?\s*$/, { error: sizeError })
const size = z.union([sizeText, z.int().positive()], { error: sizeError })
const text = z.string().min(1)
const command = z.union([text, z.array(z.string()).min(1)], {
  error: 'Expected a command: a string for /bin/sh -c, or a list of a program and its arguments',
})
const port = z.int().min(1).max(65_535)
const env = z.record(
  z.string().regex(/^[^=]+$/, { error: 'Expected a name without "="' }),
  z.union([z.string(), z.number(), z.boolean()], { error: 'Expected a string, a number or a boolean' }),
)

const timing = {
  interval: described(duration, 'Between two checks of a healthy service. Default 10s.').optional(),
  timeout: described(duration, 'For one check. Default 1s, for commands 5s.').optional(),
  retries: described(z.int().min(1), 'Failures in a row that make a healthy service unhealthy. Default 3.').optional(),
  start_period: described(duration, 'After the start, in which failures do not count. Default 0s.').optional(),
}
const statusPattern = /^([1-5]\d\d(-[1-5]\d\d)?|[1-5]xx)$/
const statusError = 'Expected a status such as 204, a range "200-299", or "2xx"'
const status = z.union([z.int().min(100).max(599), z.string().regex(statusPattern, { error: statusError })], {
  error: statusError,
})

/** The five kinds of a `health_check` table, by their `type`. */
export const healthCheckTables = {
  http: z.strictObject({
    type: z.literal('http'),
    method: described(
      z.string().regex(/^[A-Za-z]+$/, { error: 'Expected a method such as GET' }),
      'Default GET.',
    ).optional(),
    path: described(
      z.string().regex(/^\//, { error: 'Expected a path that begins with "/"' }),
      'Default /.',
    ).optional(),
    port: described(port, "Default: the service's own port.").optional(),
    status: described(
      z.union([status, z.array(status).min(1)], {
        error: 'Expected a status such as 204, a range "200-299", "2xx", or a list',
      }),
      'Which statuses are healthy. Default 200-399.',
    ).optional(),
    headers: z.record(z.string(), z.string()).optional(),
    ...timing,
  }),
  tcp: z.strictObject({
    type: z.literal('tcp'),
    port: described(port, "Default: the service's own port.").optional(),
    owner: described(
      z.enum(['tree', 'any']),
      "Whose listener counts: one of the service's own processes (default), or anybody's.",
    ).optional(),
    ...timing,
  }),
  command: z.strictObject({ type: z.literal('command').optional(), command, ...timing }),
  log: z.strictObject({
    type: z.literal('log'),
    pattern: described(text, 'A regular expression; a line that matches makes the service healthy.'),
    ...timing,
  }),
  notify: z.strictObject({ type: z.literal('notify'), ...timing }),
} as const

const healthCheck = z.union(
  [
    text,
    healthCheckTables.http,
    healthCheckTables.tcp,
    healthCheckTables.command,
    healthCheckTables.log,
    healthCheckTables.notify,
  ],
  { error: 'Expected a command, or a table with a type: http, tcp, command, log or notify' },
)

const dependency = z.union(
  [
    text,
    z.strictObject({
      service: text,
      condition: described(
        z.enum(['started', 'healthy', 'completed']),
        'What to wait for. Default healthy.',
      ).optional(),
      restart_with: described(z.boolean(), 'Restart this service when that one restarts. Default false.').optional(),
    }),
  ],
  { error: 'Expected the name of a service, or a table { service = "…" }' },
)

/** Keys of a service for which a user can set defaults for all projects. */
export const serviceDefaults = {
  restart: described(z.enum(['always', 'on-failure', 'never']), 'Default on-failure; of a task never.').optional(),
  start_timeout: described(duration, 'Until a service that was never healthy is unhealthy. Default 60s.').optional(),
  stop_signal: described(z.string(), 'Any signal name, with or without SIG. Default SIGTERM.').optional(),
  stop_timeout: described(
    z.union([z.literal('never'), ...duration.options], {
      error: 'Expected a duration: "500ms", "2s", "1m", "1h", a number of seconds, or "never"',
    }),
    'From the stop signal to SIGKILL. Default 10s.',
  ).optional(),
  stop_scope: described(
    z.enum(['group', 'leader']),
    'Who gets the stop signal: the whole process group (default), or its leader alone.',
  ).optional(),
  port_discovery: described(
    z.enum(['auto', 'scan', 'off']),
    'Whether the port that it really listens on is looked for. Default auto.',
  ).optional(),
  on_unhealthy: described(z.enum(['ignore', 'restart']), 'Default ignore.').optional(),
  tty: described(z.boolean(), 'Run on a terminal (default), or with two pipes.').optional(),
}

/** The types that a user can write; without one, it is inferred. */
export const serviceTypes = ['exec', 'worker', 'task', 'container', 'postgres', 'redis', 'site'] as const

export const serviceSchema = z.strictObject({
  type: described(z.enum(serviceTypes), 'How it is run. Default: inferred from the other keys.').optional(),
  command: described(command, 'A string is run by /bin/sh -c; a list is run without a shell.').optional(),
  workdir: described(text, "Relative to the project's root, which is the default.").optional(),
  port: described(
    z.union([port, z.literal(false)], { error: 'Expected a port from 1 to 65535, or false for none' }),
    'Fixed port. Default: a free one is assigned, the same on every run; false: none.',
  ).optional(),
  env: described(env, 'Environment variables.').optional(),
  env_file: described(
    z.union([text, z.array(text)], { error: 'Expected a path, or a list of paths' }),
    'Env files.',
  ).optional(),
  depends_on: described(
    z.union([text, z.array(dependency)], { error: 'Expected a list of services' }),
    'Services that it waits for.',
  ).optional(),
  health_check: described(healthCheck, 'When it is healthy; a string is a command. Default: inferred.').optional(),
  watch: described(z.array(text), 'Restart when a file that matches one of these patterns changes.').optional(),
  replicas: described(z.int().min(1).max(100), 'How many of it run, each with its own port. Default 1.').optional(),
  start: described(z.enum(['up', 'on-request']), 'When it is started. Default up.').optional(),
  idle_timeout: described(duration, 'Stop it after this long without a request.').optional(),
  watchdog: described(duration, 'Restart it when it has not sent WATCHDOG=1 for this long.').optional(),
  schedule: described(text, 'Run it at these times: five cron fields, or @hourly, @daily, ….').optional(),
  domains: described(z.array(text), 'More host names that lead to it.').optional(),
  ...serviceDefaults,
  image: described(text, 'Container image; makes it a container.').optional(),
  container_port: described(
    z.union([port, z.array(port).min(1)], { error: 'Expected a port from 1 to 65535, or a list of ports' }),
    'Port inside the container.',
  ).optional(),
  volumes: described(z.array(text), 'Mounts of a container: "./data:/data".').optional(),
  entrypoint: described(command, "Replaces the image's entrypoint.").optional(),
  user: described(text, 'User in the container.').optional(),
  path: described(text, 'Directory of a site.').optional(),
  build: described(text, 'Command that builds a site.').optional(),
})

const route = z.union([text, z.strictObject({ service: text, strip_prefix: z.boolean().optional() })], {
  error: 'Expected the name of a service, or a table { service = "…" }',
})

const logs = z.strictObject({
  segment_size: described(size, 'Size of one log file. Default 10MB.').optional(),
  segments: described(z.int().min(2).max(1000), 'Log files kept for each service. Default 5.').optional(),
  total: described(size, "Kept for all of the user's services. Default 1GB.").optional(),
})

/** locald.toml. */
export const configSchema = z
  .strictObject({
    project: z
      .strictObject({
        name: described(
          z.string().regex(/^[^\s/](?:[^/\n]*[^\s/])?$/, { error: 'Expected a name without "/"' }),
          "Default: the directory's name.",
        ).optional(),
        domain: described(text, 'Default: <name>.localhost.').optional(),
        domains: described(z.array(text), 'Further domains, each with the same names below it.').optional(),
      })
      .optional(),
    env: described(env, 'Environment variables of every service.').optional(),
    services: described(z.record(z.string(), serviceSchema), 'What to run, by name.').optional(),
    routes: described(
      z.record(z.string(), route),
      'Path prefixes of the project, and the services that serve them.',
    ).optional(),
    logs: logs.optional(),
  })
  .meta({ title: 'locald.toml', description: 'Configuration of a project for locald' })

/** `config/config.toml`: a user's defaults for all projects. */
export const userConfigSchema = z.strictObject({
  defaults: z.strictObject(serviceDefaults).optional(),
  env: env.optional(),
  logs: logs.optional(),
})

export type ConfigDocument = z.infer<typeof configSchema>
export type UserConfigDocument = z.infer<typeof userConfigSchema>
export type ServiceDocument = z.infer<typeof serviceSchema>
export type HealthCheckDocument = z.infer<typeof healthCheck>
