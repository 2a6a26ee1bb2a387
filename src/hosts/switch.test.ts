import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { FramePort } from '../base/frame.ts'
import { emitEthernet, parseEthernet, printEthernet, vlanTag } from '../packet/index.ts'
import { EthernetSwitch } from './switch.ts'

function frame(dst: number, src: number, vlan?: number): Uint8Array {
  return emitEthernet({
    dst,
    src,
    tags: vlan === undefined ? [] : [vlanTag(vlan)],
    type: 0x88b5,
    payload: new Uint8Array(46),
  })
}

function setting() {
  const clock = new VirtualClock()
  const sw = new EthernetSwitch(clock)
  const got: string[] = []
  const watch = (name: string, port: FramePort) => {
    port.onFrame = (f) => {
      const eth = parseEthernet(f)
      got.push(`${name}${eth.ok ? eth.value.tags.map((t) => ` vlan ${t.vid}`).join('') : ''}`)
    }
    return port
  }
  const take = () => {
    clock.settle()
    return got.splice(0).sort()
  }
  return { clock, sw, watch, take }
}

const ALL = 0xffffffffffff

describe('switch', () => {
  test('floods the unknown, then learns', () => {
    const { sw, watch, take, clock } = setting()
    const a = watch('a', sw.port('a'))
    const b = watch('b', sw.port('b'))
    watch('c', sw.port('c'))
    a.send(frame(2, 0x10))
    expect(take()).toEqual(['b', 'c'])
    b.send(frame(0x10, 2))
    expect(take()).toEqual(['a'])
    a.send(frame(2, 0x10))
    expect(take()).toEqual(['b'])
    expect(sw.lines()).toEqual(['b 0 00:00:00:00:00:02 0', 'a 0 00:00:00:00:00:10 0'])
    clock.advance(301_000)
    expect(sw.entries()).toEqual([])
    a.send(frame(2, 0x10))
    expect(take()).toEqual(['b', 'c'])
  })

  test('keeps VLANs apart, with and without tags', () => {
    const { sw, watch, take } = setting()
    const a = watch('a', sw.port('a', { access: 10 }))
    watch('b', sw.port('b', { access: 10 }))
    watch('c', sw.port('c', { access: 20 }))
    const t = watch('t', sw.port('t', { trunk: [10], native: 20 }))
    watch('p', sw.port('p'))
    a.send(frame(ALL, 0x10))
    expect(take()).toEqual(['b', 'p vlan 10', 't vlan 10'])
    t.send(frame(ALL, 0x12))
    expect(take()).toEqual(['c', 'p vlan 20'])
    t.send(frame(ALL, 0x12, 30))
    expect(take()).toEqual([])
    a.send(frame(ALL, 0x10, 20))
    expect(take()).toEqual([])
    expect(sw.counters('a')).toEqual({ rx: 1, tx: 0, dropped: 1 })
  })

  test('a pulled cable, a small MTU, a capture', () => {
    const { sw, watch, take } = setting()
    const a = watch('a', sw.port('a'))
    const b = watch('b', sw.port('b'))
    const capture = sw.capture('b')
    b.send(frame(ALL, 2))
    take()
    sw.setUp('b', false)
    a.send(frame(2, 0x10))
    expect(take()).toEqual([])
    sw.setUp('b', true)
    sw.setMtu('b', 40)
    a.send(frame(2, 0x10))
    expect(take()).toEqual([])
    sw.setMtu('b', 1500)
    a.send(frame(2, 0x10))
    expect(take()).toEqual(['b'])
    expect(capture.frames.length).toBe(2)
    const eth = parseEthernet(capture.frames[0]?.frame ?? new Uint8Array(0))
    expect(eth.ok && printEthernet(eth.value)).toBe(
      '00:00:00:00:00:02 > Broadcast, ethertype Unknown (0x88b5), length 60',
    )
    expect(() => sw.port('a')).toThrow('port exists already')
  })
})
