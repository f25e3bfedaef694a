/** POST /v1/server/stop; the body may be left out. */
export interface StopRequest {
  /** SIGKILL at once, also for what is being stopped already. */
  readonly now?: boolean
}

/** POST /v1/server/restart: who asks for another daemon, and what it is to be started from. */
export interface RestartRequest {
  /** Path of the daemon's program in the installation that asks. */
  readonly program: string
  /** Of that installation: one that is older than the daemon replaces it by its like. */
  readonly version: string
}
