// How an instance is named within its project.

/** `web.1`, whatever the number of replicas. */
export function instanceKey(service: string, instance: number): string {
  return `${service}.${instance}`
}

export function splitInstanceKey(key: string): { readonly service: string; readonly instance: number } {
  const dot = key.lastIndexOf('.')
  return { service: key.slice(0, dot), instance: Number(key.slice(dot + 1)) }
}
