// The version of this build, from the package it was built from.
import packageJson from '../../package.json' with { type: 'json' }

export const version: string = packageJson.version
