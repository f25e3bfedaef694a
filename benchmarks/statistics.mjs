// Numbers about numbers.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function worst(values) {
  return Math.max(...values)
}

export function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
