import { expect, test } from 'vitest'
import { ContainerInput } from './container-input.ts'

const place = { service: 'sh', client: 'client-1', run: 1, size: null }

function inputTo(typed: string[], accepts: () => boolean = () => true): ContainerInput {
  return new ContainerInput((run) =>
    run !== 'a' ? null : { write: (bytes) => accepts() && typed.push(bytes.toString()) > 0 },
  )
}

function data(text: string): string {
  return Buffer.from(text).toString('base64')
}

test('types what is sent twice once', () => {
  const typed: string[] = []
  const input = inputTo(typed)
  expect(input.write('a', { ...place, seq: 1, data: data('y') })).toBe(true)
  expect(input.write('a', { ...place, seq: 1, data: data('y'), again: true })).toBe(true)
  expect(input.write('a', { ...place, seq: 2, data: data('n') })).toBe(true)
  expect(input.write('a', { ...place, client: 'client-2', seq: 1, data: data('!') })).toBe(true)
  expect(typed).toEqual(['y', 'n', '!'])
})

test('types nothing that another daemon may have typed', () => {
  const typed: string[] = []
  const input = inputTo(typed)
  expect(input.write('a', { ...place, seq: 5, data: data('y'), again: true })).toBe(false)
  expect(input.write('a', { ...place, seq: 6, data: data('n') })).toBe(true)
  expect(typed).toEqual(['n'])
})

test('tells what cannot be typed, and types it when it is sent again', () => {
  const typed: string[] = []
  let accepts = false
  const input = inputTo(typed, () => accepts)
  expect(input.write('b', { ...place, seq: 1, data: data('y') })).toBe(false)
  expect(input.write('a', { ...place, seq: 1, data: data('y') })).toBe(false)
  accepts = true
  expect(input.write('a', { ...place, seq: 2, data: data('y') })).toBe(true)
  expect(typed).toEqual(['y'])
})
