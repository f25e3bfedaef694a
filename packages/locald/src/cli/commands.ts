// The commands, as data: help, parsing and dispatch all read this one table.
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command.ts'
import { json } from './common-options.ts'
import { quickCommand } from './quick-command.ts'

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
  quickCommand,
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
    name: 'try',
    summary: 'Run a command with a port and a URL, without any configuration',
    details: [
      'Gives it PORT, and flags where a framework does not look at that: Vite, Next.js, Astro, Angular and others, through scripts of package.json too. Where it listens otherwise is found out.',
      'Ctrl-C stops it. On a terminal it then asks whether to keep the command in locald.toml. The exit code is that of the command; 125 when locald failed.',
    ],
    options: [
      { name: 'name', value: 'NAME', summary: 'Serve it as NAME.localhost; the name of the directory when not given' },
      { name: 'save', summary: 'Keep it in locald.toml without asking, once it has been healthy' },
      env,
    ],
    verbatimAfter: 0,
    examples: [
      ['locald try npm run dev', 'a URL for it'],
      ["locald try --name api 'node server.js | tee log'", 'a line of a shell, as api.localhost'],
    ],
    load: async () => (await import('./commands/try.ts')).tryCommand,
  },
  {
    name: 'alias',
    summary: 'Give a host name to something that locald does not run',
    details: [
      'NAME without a dot is NAME.localhost. It is kept until it is removed; a project that has the name goes first. Without NAME: all there are.',
    ],
    args: [{ name: 'NAME' }, { name: 'PORT' }],
    options: [{ name: 'remove', summary: 'Remove it' }, json],
    examples: [
      ['locald alias grafana 3000', 'grafana.localhost leads to port 3000'],
      ['locald alias grafana --remove', 'not any more'],
    ],
    load: async () => (await import('./commands/alias.ts')).alias,
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
    name: 'url',
    summary: 'Print the address of a service that works right now',
    details: [
      'By name if that works, else the direct one. Without SERVICE: of the one that has the name of the project. With --json also the direct address, and the file with the certificates to trust.',
    ],
    args: [{ name: 'SERVICE' }],
    options: [json],
    examples: [
      ['locald url api', 'http://api.shop.localhost:8080'],
      ['locald url api --json', 'for scripts'],
    ],
    load: async () => (await import('./commands/url.ts')).url,
  },
  {
    name: 'open',
    summary: 'Open a service in the browser, once it is healthy',
    details: [
      'Without SERVICE: the one that has the name of the project. Where there is no browser it prints the address. Starts nothing but what starts on request.',
    ],
    args: [{ name: 'SERVICE' }],
    options: [timeout],
    examples: [['locald open', 'the project in the browser']],
    load: async () => (await import('./commands/open.ts')).open,
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
    name: 'doctor',
    summary: 'Look for what is wrong with this machine or this installation',
    details: [
      'Each finding says why it matters and which command mends it. Starts and changes nothing. Exits 1 when there is an error or a warning.',
    ],
    options: [json],
    examples: [['locald doctor', 'when a name does not open, or anything else is odd']],
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'admin setup',
    summary: 'Let locald use ports 80 and 443: the one step that needs root',
    details: [
      'Shows what it is going to change, makes it by sudo, and then tries it. A file for sysctl lets every user open ports from 80 up; nothing of locald runs as root.',
      'With --dns, systemd-resolved asks the DNS server of locald for names below a suffix of your own.',
    ],
    options: [
      { name: 'dry-run', summary: 'Show the changes and make none' },
      { name: 'undo', summary: 'Put everything back as it was' },
      {
        name: 'dns',
        value: 'SUFFIX',
        repeat: true,
        summary: 'Names below SUFFIX lead to this machine, such as "test"',
      },
      { name: 'dns-port', value: 'PORT', summary: 'Port of the DNS server on 127.0.0.1; 15353 when not given' },
      { name: 'yes', short: 'y', summary: 'Ask nothing' },
      { name: 'apply', summary: 'Only make the changes, as root: what sudo is called with' },
    ],
    examples: [
      ['locald admin setup --dry-run', 'what it would change'],
      ['locald admin setup --dns test', 'ports, and https://shop.test'],
      ['locald admin setup --undo', 'everything as before'],
    ],
    load: async () => (await import('./commands/admin-setup.ts')).adminSetup,
  },
  {
    name: 'admin sync-hosts',
    summary: 'Write the names of services to the hosts file',
    details: [
      'For programs that do not resolve names below localhost by themselves, and for other names. They stand in a marked block; the rest of the file stays as it is. Calls sudo where it has to.',
      'Without HOST all names that are in use.',
    ],
    args: [{ name: 'HOST', repeat: true }],
    options: [
      { name: 'dry-run', summary: 'Show the changes and make none' },
      { name: 'remove', summary: 'Remove the block' },
      { name: 'hosts-file', value: 'PATH', summary: 'Another file than /etc/hosts' },
      { name: 'quiet', short: 'q', summary: 'Do not list the names' },
    ],
    examples: [
      ['locald admin sync-hosts', 'after a project was added'],
      ['locald admin sync-hosts --remove', 'as if there had never been any'],
    ],
    load: async () => (await import('./commands/admin-sync-hosts.ts')).adminSyncHosts,
  },
  {
    name: 'trust',
    summary: "Make browsers and the system trust locald's certificates",
    details: [
      'Adds the certificate authority of this installation to the store of the system, which needs root once, and to those of Firefox and Chromium; then proves with a handshake in each that it is trusted. Addresses become https when all of them do.',
      'It can be run again at any time, and changes only what is missing. Nothing is asked when there is no terminal.',
    ],
    options: [
      { name: 'uninstall', summary: 'Remove from every store what this command has added' },
      { name: 'browsers-only', summary: 'Leave the store of the system alone, and be content without it' },
      { name: 'system-only', summary: 'Leave the stores of browsers alone, and be content without them' },
      { name: 'dry-run', summary: 'Show what would be changed, and change nothing' },
      json,
    ],
    examples: [
      ['locald trust', 'everywhere'],
      ['locald trust --browsers-only', 'where there is no root'],
      ['locald trust --uninstall', 'takes it back'],
    ],
    load: async () => (await import('./commands/trust.ts')).trust,
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
    options: [{ name: 'now', summary: 'Kill services at once instead of asking first' }],
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
