// References to other services in values: `${services.db.url}`. The plan resolves them; here they are found, so that a name
// that does not exist is reported together with everything else that is wrong in the file.

export interface ServiceReference {
  readonly service: string
  readonly property: string
  /** As written, up to the property. */
  readonly text: string
}

/** A dotted reference to something that is neither `services` nor `env`. */
export interface UnknownReference {
  /** What stands before the first dot. */
  readonly scope: string
  readonly text: string
}

const dotted = /(?<!\$)\$\{([A-Za-z_]\w*)\.([\w.-]+)/g

/** Those in defaults (`${services.db.url:-${services.old.url}}`) included; `$${` is a literal. */
export function findReferences(text: string): readonly (ServiceReference | UnknownReference)[] {
  return [...text.matchAll(dotted)].flatMap(
    ([written, scope = '', rest = '']): (ServiceReference | UnknownReference)[] => {
      if (scope === 'env') return []
      const dot = rest.lastIndexOf('.')
      if (scope !== 'services') return [{ scope, text: written }]
      if (dot <= 0) return []
      return [{ service: rest.slice(0, dot), property: rest.slice(dot + 1), text: written }]
    },
  )
}
