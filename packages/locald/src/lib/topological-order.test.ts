import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { topologicalOrder } from './topological-order.ts'

type Graph = Readonly<Record<string, readonly string[]>>

function orderOf(graph: Graph): ReturnType<typeof topologicalOrder<string>> {
  return topologicalOrder(Object.keys(graph), (node) => graph[node] ?? [])
}

/** Nodes whose edges point only to nodes of a lower rank, listed in any order. */
const acyclic: fc.Arbitrary<Graph> = fc
  .integer({ min: 1, max: 12 })
  .chain((size) =>
    fc.tuple(
      fc.shuffledSubarray(
        Array.from({ length: size }, (_, rank) => rank),
        { minLength: size },
      ),
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 40 }),
    ),
  )
  .map(([ranks, edges]) =>
    Object.fromEntries(
      ranks.map((rank) => [
        `n${rank}`,
        edges.filter(([from, to]) => from === rank && to < from).map(([, to]) => `n${to}`),
      ]),
    ),
  )

const anyGraph: fc.Arbitrary<Graph> = fc
  .array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 20 })
  .map((edges) =>
    Object.fromEntries(
      Array.from({ length: 8 }, (_, node) => [
        `n${node}`,
        edges.filter(([from]) => from === node).map(([, to]) => `n${to}`),
      ]),
    ),
  )

test('topologicalOrder() puts every node after all of its dependencies, and loses none', () => {
  fc.assert(
    fc.property(acyclic, (graph) => {
      const result = orderOf(graph)
      if (!result.ok) return false
      expect([...result.order].toSorted()).toEqual(Object.keys(graph).toSorted())
      return result.order.every((node, index) =>
        (graph[node] ?? []).every((dependency) => result.order.indexOf(dependency) < index),
      )
    }),
  )
})

test('topologicalOrder() leaves an order that is right as it is', () => {
  fc.assert(
    fc.property(acyclic, (graph) => {
      const first = orderOf(graph)
      if (!first.ok) return false
      const again = topologicalOrder(first.order, (node) => graph[node] ?? [])
      expect(again).toEqual(first)
      return true
    }),
  )
})

test('topologicalOrder() finds a real cycle exactly when there is one', () => {
  fc.assert(
    fc.property(anyGraph, (graph) => {
      const result = orderOf(graph)
      if (result.ok) {
        return result.order.every((node, index) =>
          (graph[node] ?? []).every((dependency) => result.order.indexOf(dependency) < index),
        )
      }
      const [first, ...rest] = result.cycle
      expect(rest.at(-1)).toBe(first)
      expect(new Set(rest).size).toBe(rest.length)
      return result.cycle.slice(0, -1).every((node, index) => graph[node]?.includes(result.cycle[index + 1] ?? ''))
    }),
  )
})

test('topologicalOrder() keeps the given order where nothing depends on anything', () => {
  expect(orderOf({ web: [], db: [], api: [] })).toEqual({ ok: true, order: ['web', 'db', 'api'] })
})

test('topologicalOrder() moves only what must wait', () => {
  expect(orderOf({ web: ['db'], worker: [], db: [], api: [] })).toEqual({
    ok: true,
    order: ['worker', 'db', 'web', 'api'],
  })
})

test('topologicalOrder() names a cycle from its first node on', () => {
  expect(orderOf({ other: ['api'], web: ['db', 'api'], api: ['web'], db: [] })).toEqual({
    ok: false,
    cycle: ['web', 'api', 'web'],
  })
})

test('topologicalOrder() calls a node that depends on itself a cycle', () => {
  expect(orderOf({ web: ['web'] })).toEqual({ ok: false, cycle: ['web', 'web'] })
})

test('topologicalOrder() ignores dependencies that are not among the nodes', () => {
  expect(orderOf({ web: ['gone'] })).toEqual({ ok: true, order: ['web'] })
})
