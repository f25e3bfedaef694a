import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { duplexPair } from './duplex-pair.ts'

describe('duplexPair()', () => {
  it('gives each end what the other writes', async () => {
    const [one, other] = duplexPair()
    one.write('to other')
    other.write('to one')
    expect(String((await once(other, 'data'))[0])).toBe('to other')
    expect(String((await once(one, 'data'))[0])).toBe('to one')
  })

  it('holds the writer back while nobody reads', () => {
    const [one, other] = duplexPair()
    let writes = 0
    while (one.write(Buffer.alloc(1024)) && writes < 1000) writes += 1
    expect(writes).toBeLessThan(100)
    expect(other.readableLength).toBeLessThan(64 * 1024)
  })

  it('ends and closes the other end', async () => {
    const [one, other] = duplexPair()
    one.end('last')
    let text = ''
    other.on('data', (chunk) => (text += String(chunk)))
    await once(other, 'end')
    expect(text).toBe('last')
    other.destroy()
    one.resume()
    await once(one, 'close')
  })
})
