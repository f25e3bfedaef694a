// What a command is: data for help and parsing, and a handler that is loaded when it is called.
import type { ProjectSelector } from '@locald/protocol'
import type { ApiClient } from '../client/api-client.ts'
import type { Installation } from '../lib/installation.ts'
import type { Output } from './output/output.ts'

export interface OptionSpec {
  /** Without its dashes. */
  readonly name: string
  readonly short?: string
  /** Name of its value in help; absent for a flag. */
  readonly value?: string
  /** May be given several times. */
  readonly repeat?: boolean
  readonly summary: string
}

export interface ArgumentSpec {
  /** In capitals. */
  readonly name: string
  readonly required?: boolean
  /** Takes all that follow. */
  readonly repeat?: boolean
}

export interface CommandSpec {
  /** One word, or two: `server start`. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line, without a full stop. */
  readonly summary: string
  /** A paragraph each. */
  readonly details?: readonly string[]
  readonly args?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [string, string])[]
  /** After that many arguments, or `--`, everything is a command line of somebody else. */
  readonly verbatimAfter?: number
  readonly load: () => Promise<Handler>
}

/** Returns the exit code; a rejection is reported and decides the code by its error. */
export type Handler = (context: CommandContext, call: Invocation) => Promise<number>

/** What was typed, checked against the specification. */
export interface Invocation {
  readonly args: readonly string[]
  /** See `verbatimAfter`; null when neither `--` nor further words were given. */
  readonly verbatim: readonly string[] | null
  flag(name: string): boolean
  text(name: string): string | undefined
  list(name: string): readonly string[]
}

/** The world of a command. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where it works: the caller's directory, or `--dir`. */
  readonly cwd: string
  readonly selector: ProjectSelector
  readonly installation: Installation
  readonly version: string
  /** Of this installation; the daemon's lies beside it. */
  readonly keeperProgram: string
  readonly output: Output
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether somebody can be asked. */
  readonly isInteractive: () => boolean
  /** The daemon, if it runs: starts nothing; a call rejects when nobody listens (`isNobodyListening`). */
  readonly client: () => ApiClient
  /** The daemon, started when it does not run; see `ServerStart` for one that ended too often. */
  readonly connect: (again?: 'retry' | 'fresh') => Promise<ApiClient>
  /** Calls `listener` for Ctrl-C and other requests to end, instead of ending, until disposed. */
  readonly onInterrupt: (listener: (signal: NodeJS.Signals) => void) => Disposable
}
