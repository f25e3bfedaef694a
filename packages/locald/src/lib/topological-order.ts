// Puts the nodes of a graph, known by their names, after everything they depend on.

export type TopologicalOrder<T extends string> =
  | { readonly ok: true; readonly order: readonly T[] }
  /** From a node (the first of them in the order given) back to itself: `['web', 'api', 'web']`. */
  | { readonly ok: false; readonly cycle: readonly T[] }

/**
 * Stable: of the nodes that may come next, the first of `nodes` does, so that an order which is right already stays as it
 * is. Dependencies that are not among `nodes` are ignored; a node given twice counts once.
 */
export function topologicalOrder<T extends string>(
  nodes: readonly T[],
  dependenciesOf: (node: T) => Iterable<T>,
): TopologicalOrder<T> {
  const pending = new Map<T, Set<T>>()
  for (const node of nodes) pending.set(node, new Set())
  for (const [node, dependencies] of pending) {
    for (const dependency of dependenciesOf(node)) if (pending.has(dependency)) dependencies.add(dependency)
  }
  const order: T[] = []
  while (pending.size > 0) {
    const next = firstFree(pending)
    if (next === undefined) return { ok: false, cycle: someCycle(pending) }
    pending.delete(next)
    for (const dependencies of pending.values()) dependencies.delete(next)
    order.push(next)
  }
  return { ok: true, order }
}

function firstFree<T>(pending: ReadonlyMap<T, ReadonlySet<T>>): T | undefined {
  for (const [node, dependencies] of pending) if (dependencies.size === 0) return node
  return undefined
}

/** Every node in `pending` depends on another one in it, so that following the first dependency must come back. */
function someCycle<T>(pending: ReadonlyMap<T, ReadonlySet<T>>): readonly T[] {
  const nodes = [...pending.keys()]
  const walk = new Set<T>()
  let [node] = nodes.slice(0, 1)
  while (node !== undefined && !walk.has(node)) {
    walk.add(node)
    const [dependency] = pending.get(node) ?? []
    node = dependency
  }
  const path = [...walk]
  const cycle = node === undefined ? path : path.slice(path.indexOf(node))
  const first = cycle.findIndex((member) => member === nodes.find((candidate) => cycle.includes(candidate)))
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  return [...turned, ...turned.slice(0, 1)]
}
