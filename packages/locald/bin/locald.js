#!/usr/bin/env node
'use strict'

// Committed, because npm links no command that does not exist yet; the program itself is built into dist/.
require('node:module').enableCompileCache?.() // Node 22.1 and later
require('../dist/cli.cjs')
