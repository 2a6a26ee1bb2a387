import { describe, expect, test, vi } from 'vitest'
import { fromHex, toHex } from '../../base/bytes.ts'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog, type Log, silent } from '../../base/log.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import type { Message, Version } from '../messages/message.ts'
import * as text from '../text/message.ts'
import type { OpenFlowChannel } from './channel.ts'
import { channelPair } from './pair.ts'
import { openChannel } from './stream-channel.ts'
import { helloOf, negotiate, versionsText } from './version.ts'

const bytes = (hex: string) => fromHex(hex) as Uint8Array

function open(
  clock: VirtualClock,
  stream: ByteStream,
  versions: readonly Version[],
  probeInterval = 0,
  log: Log = silent,
) {
  const state: { channel?: OpenFlowChannel; error?: string; got: Message[] } = { got: [] }
  openChannel(stream, { clock, versions, probeInterval, log }, (r) => {
    if (!r.ok) {
      state.error = r.error
      return
    }
    state.channel = r.value
    r.value.onMessage = (m) => state.got.push(m)
  })
  return state
}

vi.mock(import('../text/message.ts'), { spy: true })

describe('channels over a stream', () => {
  test('agree on the highest common version and exchange messages', () => {
    const clock = new VirtualClock()
    const [a, b] = streamPair(clock)
    const one = open(clock, a, [4, 6])
    const two = open(clock, b, [1, 4, 5])
    clock.settle()
    expect(one.channel?.version).toBe(4)
    expect(two.channel?.version).toBe(4)
    one.channel?.send({ type: 'features_request', xid: 7 })
    clock.settle()
    expect(two.got).toEqual([{ type: 'features_request', xid: 7 }])
  })

  test('say why when there is no common version', () => {
    const clock = new VirtualClock()
    const [a, b] = streamPair(clock)
    const one = open(clock, a, [6])
    const two = open(clock, b, [1])
    clock.settle()
    expect(one.error).toContain('We support version 0x06, you support version 0x01, no common versions.')
    expect(two.error).toBeDefined()
  })

  test('answer echo and quote the message in an error', () => {
    const clock = new VirtualClock()
    const [a, b] = streamPair(clock)
    const received: string[] = []
    a.onData = (x) => received.push(toHex(x))
    open(clock, b, [6])
    a.write(bytes('0600000800000001'))
    a.write(bytes('0602000c00000002deadbeef'))
    // A flow mod cut short, in pieces.
    a.write(bytes('060e00'))
    a.write(bytes('100000000300000000'))
    a.write(bytes('00000000'))
    clock.settle()
    expect(received[1]).toBe('0603000c00000002deadbeef')
    expect(received[2]).toBe('0601001c0000000300010006060e0010000000030000000000000000')
  })

  test('die when a probe goes unanswered', () => {
    const clock = new VirtualClock()
    const [a, b] = streamPair(clock)
    const one = open(clock, a, [6], 5000)
    let end: Error | undefined
    b.write(bytes('0600000800000001'))
    clock.settle()
    if (one.channel) one.channel.onClose = (e) => (end = e)
    clock.advance(9000)
    expect(end).toBeUndefined()
    clock.advance(2000)
    expect(end?.message).toContain('no response to inactivity probe')
  })
})

test('a pair in memory passes the same objects, later', () => {
  const clock = new VirtualClock()
  const [a, b] = channelPair(clock)
  const got: Message[] = []
  b.onMessage = (m) => got.push(m)
  const message: Message = { type: 'barrier_request', xid: 1 }
  a.send(message)
  expect(got).toEqual([])
  clock.settle()
  expect(got[0]).toBe(message)
  let ended = false
  b.onClose = () => (ended = true)
  a.close()
  clock.settle()
  expect(ended).toBe(true)
})

test('hello carries a bitmap only where the version would claim too much', () => {
  expect(helloOf(1, [1]).versions).toBeUndefined()
  expect(helloOf(1, [4]).versions).toEqual([4])
  expect(negotiate([1, 4, 6], { type: 'hello', xid: 0, version: 5 })).toBe(4)
  expect(versionsText([6, 4])).toBe('versions 0x04 and 0x06')
})

describe('what the log tells of messages', () => {
  function talk(floor: 'dbg' | 'info'): string[] {
    const clock = new VirtualClock()
    const { log, lines } = keptLog(floor)
    const [a, b] = streamPair(clock)
    const one = open(clock, a, [4, 6], 0, log)
    open(clock, b, [1, 6])
    clock.settle()
    one.channel?.send({ type: 'echo_request', xid: 7, data: bytes('0102') })
    clock.settle()
    return lines.map((l) => `${l.module}|${l.level}|${l.message.replace(a.peer, 'PEER')}`)
  }

  test('each, at DBG, with the words of the real programs', () => {
    expect(talk('dbg')).toEqual([
      'vconn|dbg|PEER: sent (Success): OFPT_HELLO (OF1.5) (xid=0x1):\n version bitmap: 0x04, 0x06',
      'vconn|dbg|PEER: received: OFPT_HELLO (OF1.5) (xid=0x1):\n version bitmap: 0x01, 0x06',
      'vconn|dbg|PEER: negotiated OpenFlow version 0x06 (we support versions 0x04, 0x06, peer supports versions 0x01, 0x06)',
      'vconn|dbg|PEER: sent (Success): OFPT_ECHO_REQUEST (OF1.5) (xid=0x7): 2 bytes of payload',
      'vconn|dbg|PEER: received: OFPT_ECHO_REPLY (OF1.5) (xid=0x7): 2 bytes of payload',
    ])
  })

  test('nothing is put into words when DBG is off', () => {
    const words = vi.mocked(text.formatMessageBytes)
    words.mockClear()
    expect(talk('info')).toEqual([])
    expect(words).not.toHaveBeenCalled()
    talk('dbg')
    expect(words).toHaveBeenCalledTimes(4)
  })
})
