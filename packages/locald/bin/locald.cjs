#!/usr/bin/env node
'use strict'

// Committed, because npm links no command that does not exist yet; the program itself is built into dist/. What is left to do
// here is to keep its compiled form from one command to the next: docs/decisions/0034.
const fs = require('node:fs')
const { dirname, isAbsolute, join } = require('node:path')
const { Script } = require('node:vm')

const Module = module.constructor
/** Since 22.1; a Node that has none is not made to load the module that would have it. */
const { enableCompileCache } = Number.parseInt(process.versions.node, 10) < 22 ? {} : require('node:module')
const { LOCALD_HOME, XDG_CACHE_HOME, HOME, NODE_COMPILE_CACHE, SUDO_UID } = process.env
/** How many commands add to the bytecode, each for some milliseconds. */
const learntFrom = 4
const program = join(__dirname, '../dist/cli.cjs')

/** Of the user's own: in Node's default place, below the system's temporary directory, others could put code there first. */
function cacheDirectory() {
  // Root by sudo: the home may be that of somebody else, who would find files of root there, and whose code root would run.
  if (process.getuid?.() === 0 && SUDO_UID) return undefined
  if (LOCALD_HOME) return fs.existsSync(LOCALD_HOME) ? join(LOCALD_HOME, 'cache') : undefined
  const base = [XDG_CACHE_HOME, HOME && join(HOME, '.cache')].find((directory) => directory && isAbsolute(directory))
  return base && join(base, 'locald')
}

/** What `enableCompileCache` does, for a Node that has none. The file: what it was made by and from, a count, the bytecode. */
function runWithBytecode(file) {
  const source = fs.readFileSync(program, 'utf8')
  // V8 itself compares no more than the length of the source. The build's own mark is at the beginning: tsdown.config.ts.
  const origin = Buffer.from(`${process.version} ${process.arch} ${source.slice(0, 200)}`)
  const kept = readKept(file, origin)
  const script = new Script(`(function (exports, require, module, __filename, __dirname) { ${source}\n})`, {
    filename: program,
    cachedData: kept?.subarray(origin.length + 1),
  })
  const commands = script.cachedDataRejected === false ? kept[origin.length] : 0
  // What ran is compiled, and is added to what there was. Only at the end of a command is it known.
  if (commands < learntFrom) process.once('exit', () => keep(file, origin, Buffer.of(commands + 1), script))
  // The parts of the program that are loaded later ask for this one.
  const loaded = new Module(program, module)
  loaded.filename = program
  loaded.paths = module.paths
  require.cache[program] = loaded
  const requireThere = (id) => loaded.require(id)
  script.runInThisContext()(loaded.exports, requireThere, loaded, program, dirname(program))
}

function readKept(file, origin) {
  try {
    const content = fs.readFileSync(file)
    return content.subarray(0, origin.length).equals(origin) ? content : undefined
  } catch {
    return undefined
  }
}

function keep(file, origin, count, script) {
  const unfinished = `${file}.${process.pid}`
  try {
    fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const content = Buffer.concat([origin, count, script.createCachedData()])
    // Flushed: V8 would run into whatever a loss of power left there.
    fs.writeFileSync(unfinished, content, { mode: 0o600, flag: 'wx', flush: true })
    fs.renameSync(unfinished, file)
  } catch {
    // A disk that is full or may not be written to: the next command compiles it again.
    fs.rmSync(unfinished, { force: true })
  }
}

const directory = NODE_COMPILE_CACHE ? undefined : cacheDirectory()
if (directory !== undefined && enableCompileCache === undefined) {
  runWithBytecode(join(directory, 'cli.bytecode'))
} else {
  if (directory !== undefined) enableCompileCache(directory)
  require(program)
}
