// The shapes shared by the daemon, the command line and the dashboard. Free of parsers: see `./config.ts` for those.
export * from './api.ts'
export * from './doctor.ts'
export * from './errors.ts'
export * from './events.ts'
export * from './registry.ts'
export * from './server.ts'
export * from './service.ts'
export * from './trust.ts'
