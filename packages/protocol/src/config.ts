// The schema of locald.toml.
export const schemaVersion = 1
