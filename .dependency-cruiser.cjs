'use strict'
// Who may import whom. The table is the law; `npm run check` also proves that a planted violation of it is caught.
// `protocol` is a package and open to all.

/** Folders of packages/locald/src, each with the folders it may import besides itself. */
const mayImport = {
  lib: [],
  config: ['lib'],
  plan: ['lib', 'config'],
  keeper: ['lib'],
  container: ['lib'],
  health: ['lib'],
  supervisor: ['lib', 'config', 'plan', 'keeper', 'container', 'health'],
  events: ['lib'],
  logs: ['lib'],
  certificates: ['lib'],
  trust: ['lib', 'certificates'],
  proxy: ['lib', 'certificates'],
  admin: ['lib', 'certificates', 'trust'],
  api: ['lib'],
  client: ['lib'],
  // `check` and `env` work without a daemon, so the command line reads and plans by itself: docs/decisions/0011.
  // `run` reaches into a container by itself: docs/containers.md.
  cli: ['lib', 'client', 'config', 'plan', 'container', 'certificates', 'trust', 'admin'],
  daemon: [
    'lib',
    'config',
    'plan',
    'keeper',
    'container',
    'health',
    'supervisor',
    'events',
    'logs',
    'certificates',
    'trust',
    'proxy',
    'admin',
    'api',
  ],
  bin: ['lib', 'cli', 'daemon', 'keeper', 'proxy', 'certificates'],
}

const source = '^packages/locald/src'
/** A test may set up its subject's neighbours. */
const tests = String.raw`\.test\.ts$|/(fixtures|testing)/`

const layer = ([from, to]) => ({
  name: `${from}-may-import`,
  comment: `${from} may import only ${[from, ...to].join(', ')} and @locald/protocol`,
  severity: 'error',
  from: { path: `${source}/${from}/`, pathNot: tests },
  to: { path: `${source}/`, pathNot: `${source}/(${[from, ...to].join('|')})/` },
})

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).map(layer),
    {
      name: 'no-unknown-layer',
      comment: 'A new folder needs a row in the table of layers',
      severity: 'error',
      from: { path: `${source}/`, pathNot: `${source}/(${Object.keys(mayImport).join('|')})/` },
      to: {},
    },
    {
      name: 'no-import-of-unknown-layer',
      comment: 'A new folder needs a row in the table of layers',
      severity: 'error',
      from: {},
      to: { path: `${source}/`, pathNot: `${source}/(${Object.keys(mayImport).join('|')})/` },
    },
    {
      name: 'no-circular',
      comment: 'No cycles, those of types included',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'protocol-runs-anywhere',
      comment: 'The browser imports the protocol: nothing of Node and nothing of the daemon may be in it',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: tests },
      to: { path: '^packages/locald/' },
    },
    {
      name: 'protocol-without-node',
      comment: 'The browser imports the protocol: nothing of Node and nothing of the daemon may be in it',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'tests-stay-tests',
      comment: 'What ships never imports a test or its support',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: { path: String.raw`^tests/|^packages/[^/]+/tests/|\.test\.ts$` },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere',
      severity: 'error',
      from: { path: '^packages/' },
      to: { couldNotResolve: true, pathNot: '^(@lydell/node-pty-|koffi)' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '/dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
