// The commands, as data: help, parsing and dispatch all read this one table.
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command.ts'
import { status } from './commands/status.ts'

const json: OptionSpec = { name: 'json', summary: 'Print JSON, for scripts' }
const services: ArgumentSpec = { name: 'SERVICE', repeat: true }
const service: ArgumentSpec = { name: 'SERVICE', required: true }
const project: ArgumentSpec = { name: 'PROJECT' }
const env: OptionSpec = {
  name: 'env',
  value: 'KEY=VALUE',
  repeat: true,
  summary: 'Set a variable for every service, above all other places',
}
const timeout: OptionSpec = {
  name: 'timeout',
  value: 'DURATION',
  summary: 'Give up after that time, such as 90s or 2m',
}

/** In the order of help. */
export const commands: readonly CommandSpec[] = [
  {
    name: 'up',
    summary: 'Start services in the background and return when they are healthy',
    details: [
      'Starts what is stopped, tries again what failed, restarts only what changed in the configuration, and leaves the rest alone.',
      'Ctrl-C detaches: starting goes on in the background.',
    ],
    args: [services],
    options: [{ name: 'no-wait', summary: 'Return as soon as the order is accepted' }, timeout, env, json],
    examples: [
      ['locald up', 'everything in this project'],
      ['locald up web --env LOG_LEVEL=debug', 'web and what it depends on'],
    ],
    load: async () => (await import('./commands/up.ts')).up,
  },
  {
    name: 'start',
    summary: "Run in the foreground, foreman's way: the first exit ends all",
    details: [
      'Prints the output of all services. Ctrl-C stops them; a second one kills them. The exit code is that of the first service that exited.',
    ],
    args: [services],
    options: [{ name: 'restart', summary: 'Restart what exits, as its restart policy says, instead of ending' }, env],
    examples: [['locald start', 'everything, until Ctrl-C']],
    load: async () => (await import('./commands/start.ts')).start,
  },
  {
    name: 'stop',
    summary: 'Stop services, and prove that nothing of them is left',
    details: ['Without SERVICE the whole project, dependents first. A second Ctrl-C kills at once.'],
    args: [services],
    options: [{ name: 'now', summary: 'Kill at once instead of asking first' }, json],
    examples: [
      ['locald stop', 'the whole project'],
      ['locald stop web', 'web alone; its dependents go on'],
    ],
    load: async () => (await import('./commands/stop.ts')).stop,
  },
  {
    name: 'restart',
    summary: 'Stop and start services, with their environment read anew',
    args: [services],
    options: [timeout, json],
    examples: [['locald restart web', 'web alone']],
    load: async () => (await import('./commands/restart.ts')).restart,
  },
  {
    name: 'status',
    aliases: ['ps'],
    summary: 'Show services, their health and their addresses',
    details: ['Outside of a project: all projects. Never starts the daemon.'],
    options: [{ name: 'all', short: 'a', summary: 'All projects, also inside of one' }, json],
    examples: [['locald status --json', 'for scripts']],
    // Always there: of all commands, this one has to be fast.
    load: () => Promise.resolve(status),
  },
  {
    name: 'logs',
    summary: 'Show the recorded output of services',
    args: [services],
    options: [
      { name: 'follow', short: 'f', summary: 'Go on with what is being written, over restarts' },
      { name: 'tail', short: 'n', value: 'N', summary: 'Only the last N lines' },
      { name: 'since', value: 'TIME', summary: 'Only what is newer: 5m, 2h, or a date such as 2026-01-31T12:00' },
      { name: 'until', value: 'TIME', summary: 'Only what is older' },
      { name: 'grep', value: 'RE', summary: 'Only lines that match this regular expression' },
      { name: 'run', value: 'N', summary: 'Only the Nth run of a service; -1 is the newest' },
      { name: 'timestamps', short: 't', summary: 'Begin each line with its time' },
      { name: 'no-prefix', summary: 'Leave out the names of the services' },
      { name: 'no-color', summary: 'Leave out colours, also those of the services' },
      json,
    ],
    examples: [
      ['locald logs web -f', 'what web writes, from here on'],
      ["locald logs --since 10m --grep 'error|warn'", 'what went wrong lately'],
    ],
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'attach',
    summary: "Work in a service's own terminal: a debugger, a prompt",
    details: [
      'Shows the last screenful, then everything that the service writes, and gives it what you type. Ctrl-P Ctrl-Q detaches; the service runs on, and all of it is recorded.',
      'Without a terminal of its own (tty = false) the service gets the lines that you type.',
    ],
    args: [service],
    examples: [['locald attach web', 'answer the prompt of web']],
    load: async () => (await import('./commands/attach.ts')).attach,
  },
  {
    name: 'run',
    aliases: ['exec'],
    summary: 'Run a command in the environment and directory of a service',
    details: [
      'Without a command: that of the service itself, in the foreground. The exit code is that of the command; 125 when locald failed.',
    ],
    args: [service],
    verbatimAfter: 1,
    examples: [
      ['locald run web -- npm test', 'the tests, with the variables of web'],
      ['locald run web', 'web itself, here'],
    ],
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'env',
    summary: 'Print the environment of a service',
    args: [service],
    options: [{ name: 'explain', summary: 'Say where each value comes from' }, json],
    examples: [['locald env web --explain', 'each variable with its origin']],
    load: async () => (await import('./commands/env.ts')).env,
  },
  {
    name: 'ports',
    summary: 'List the ports of services, and who holds them',
    options: [json],
    examples: [['locald ports', 'ports of this project']],
    load: async () => (await import('./commands/ports.ts')).ports,
  },
  {
    name: 'check',
    summary: 'Check the configuration without starting anything',
    options: [json],
    examples: [['locald check', 'all faults at once, with their places']],
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'wait',
    summary: 'Wait until services are healthy or completed',
    details: ['Starts nothing. Fails as soon as one of them failed or is unhealthy.'],
    args: [services],
    options: [timeout, json],
    examples: [['locald wait db --timeout 30s', 'in a script']],
    load: async () => (await import('./commands/wait.ts')).wait,
  },
  {
    name: 'why',
    summary: 'Explain why a service is in the state it is in',
    args: [service],
    options: [json],
    examples: [['locald why web', 'what it waits for, its last lines, what to do']],
    load: async () => (await import('./commands/why.ts')).why,
  },
  {
    name: 'init',
    summary: 'Write a locald.toml for this directory',
    details: ['From a Procfile, a package.json or a few questions. Never overwrites.'],
    options: [
      { name: 'yes', short: 'y', summary: 'Ask nothing' },
      { name: 'print', summary: 'Print it instead of writing it' },
    ],
    examples: [['locald init', 'asks what it cannot find out']],
    load: async () => (await import('./commands/init.ts')).init,
  },
  {
    name: 'events',
    summary: 'Print what happened to services',
    options: [
      { name: 'follow', short: 'f', summary: 'Go on with what happens' },
      {
        name: 'tail',
        short: 'n',
        value: 'N',
        summary: 'Look at the last N events of all projects; 1000 when not given',
      },
      { name: 'all', short: 'a', summary: 'Of all projects' },
      json,
    ],
    examples: [['locald events -f --json', 'one object a line']],
    load: async () => (await import('./commands/events.ts')).events,
  },
  {
    name: 'config show',
    summary: 'Print the configuration as locald understands it',
    options: [{ name: 'provenance', summary: 'Say where each value comes from' }, json],
    examples: [['locald config show --provenance', 'each setting with its place']],
    load: async () => (await import('./commands/config-show.ts')).configShow,
  },
  {
    name: 'registry list',
    summary: 'List the projects that locald knows',
    options: [json],
    examples: [['locald registry list', 'each with its state, and whether it is pinned']],
    load: async () => (await import('./commands/registry.ts')).registryList,
  },
  {
    name: 'registry pin',
    summary: 'Bring a project back after a reboot, if it was up',
    args: [project],
    options: [json],
    examples: [['locald registry pin', 'the project of this directory']],
    load: async () => (await import('./commands/registry.ts')).registryPin,
  },
  {
    name: 'registry unpin',
    summary: 'Leave a project down after a reboot',
    args: [project],
    options: [json],
    examples: [['locald registry unpin shop', 'a project by its name or id']],
    load: async () => (await import('./commands/registry.ts')).registryUnpin,
  },
  {
    name: 'registry clean',
    summary: 'Forget projects whose configuration is gone, with their logs',
    details: ['What runs or is pinned stays.'],
    options: [json],
    examples: [['locald registry clean', 'after a clone was deleted']],
    load: async () => (await import('./commands/registry.ts')).registryClean,
  },
  {
    name: 'server start',
    summary: 'Start the daemon, which other commands do when they need it',
    options: [{ name: 'fresh', summary: 'Set the journal aside, when the daemon cannot live with it' }],
    examples: [['locald server start --fresh', 'after the daemon crashed again and again']],
    load: async () => (await import('./commands/server-start.ts')).serverStart,
  },
  {
    name: 'server stop',
    summary: 'Stop all services of all projects, then the daemon',
    examples: [['locald server stop', 'nothing of locald runs afterwards']],
    load: async () => (await import('./commands/server-stop.ts')).serverStop,
  },
  {
    name: 'server restart',
    summary: 'Replace the daemon; services keep running',
    examples: [['locald server restart', 'after an upgrade']],
    load: async () => (await import('./commands/server-restart.ts')).serverRestart,
  },
  {
    name: 'server status',
    summary: 'Show whether the daemon runs, and which version',
    options: [json],
    examples: [['locald server status --json', 'for scripts']],
    load: async () => (await import('./commands/server-status.ts')).serverStatus,
  },
]
