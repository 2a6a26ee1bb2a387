import type { Reader, Writer } from '../../base/bytes.ts'
import { widenPort } from '../fields/oxm.ts'
import { fault } from './fault.ts'
import { readPort } from './flow.ts'
import type { PortDescription, PortMod, PortStatus } from './message.ts'
import { readText, writeText } from './text.ts'

/** Feature bits of 1.0 lack 40G, 100G, 1T and "other": its media bits sit four lower. */
const widenFeatures = (f: number) => (f & 0x7f) | ((f & 0xf80) << 4)
const narrowFeatures = (f: number) => (f & 0x7f) | ((f >>> 4) & 0xf80)

/** OFPPF_* to kbps: the fastest rate among the bits. */
const RATES: readonly [bit: number, kbps: number][] = [
  [9, 1000000000],
  [8, 100000000],
  [7, 40000000],
  [6, 10000000],
  [5, 1000000],
  [4, 1000000],
  [3, 100000],
  [2, 100000],
  [1, 10000],
  [0, 10000],
]

function speed(features: number): number {
  return RATES.find(([bit]) => features & (1 << bit))?.[1] ?? 0
}

/** One port description as the version has it: fixed size before 1.4, with properties since. */
export function readPortDescription(r: Reader, version: number): PortDescription {
  if (version === 1) {
    const port = r.u16()
    const mac = r.u48()
    const name = readText(r, 16)
    const config = r.u32()
    const state = r.u32()
    const current = widenFeatures(r.u32())
    const advertised = widenFeatures(r.u32())
    const supported = widenFeatures(r.u32())
    const peer = widenFeatures(r.u32())
    return {
      port,
      mac,
      name,
      config,
      state,
      current,
      advertised,
      supported,
      peer,
      currentSpeed: speed(current),
      maxSpeed: speed(supported),
    }
  }
  const port = readPort(r)
  const length = r.u16()
  r.skip(2)
  const mac = r.u48()
  r.skip(2)
  const name = readText(r, 16)
  const config = r.u32()
  const state = r.u32()
  if (version < 5) return { port, mac, name, config, state, ...ethernet(r) }
  if (length < 40) fault('OFPBRC_BAD_LEN')
  const properties = r.sub(length - 40)
  let features = { current: 0, advertised: 0, supported: 0, peer: 0, currentSpeed: 0, maxSpeed: 0 }
  const unknown: Uint8Array[] = []
  while (properties.left > 0) {
    const start = properties.at
    const type = properties.u16()
    const len = properties.u16()
    if (len < 4) fault('OFPBPC_BAD_LEN')
    const body = properties.sub(len - 4)
    properties.skip(Math.min(properties.left, (8 - (len % 8)) % 8))
    if (type === 0) {
      body.skip(4)
      features = ethernet(body)
    } else unknown.push(properties.bytes.slice(start, properties.at))
  }
  return { port, mac, name, config, state, ...features, ...(unknown.length ? { unknown } : {}) }
}

function ethernet(r: Reader) {
  return {
    current: r.u32(),
    advertised: r.u32(),
    supported: r.u32(),
    peer: r.u32(),
    currentSpeed: r.u32(),
    maxSpeed: r.u32(),
  }
}

export function writePortDescription(w: Writer, p: PortDescription, version: number): void {
  if (version === 1) {
    w.u16(p.port).u48(p.mac)
    writeText(w, p.name, 16)
    w.u32(p.config).u32(p.state & 0x301)
    for (const f of [p.current, p.advertised, p.supported, p.peer]) w.u32(narrowFeatures(f))
    return
  }
  const start = w.length
  w.u32(widenPort(p.port)).zeros(4).u48(p.mac).zeros(2)
  writeText(w, p.name, 16)
  w.u32(p.config).u32(p.state)
  if (version >= 5) w.u16(0).u16(32).zeros(4)
  w.u32(p.current).u32(p.advertised).u32(p.supported).u32(p.peer).u32(p.currentSpeed).u32(p.maxSpeed)
  if (version >= 5) {
    for (const u of p.unknown ?? []) w.bytes(u)
    w.patch16(start + 4, w.length - start)
  }
}

const REASONS = ['add', 'delete', 'modify'] as const

export function readPortStatus(r: Reader, xid: number, version: number): PortStatus {
  const reason = REASONS[r.u8()] ?? fault('OFPBRC_BAD_LEN')
  r.skip(7)
  return { type: 'port_status', xid, reason, port: readPortDescription(r, version) }
}

export function writePortStatus(w: Writer, m: PortStatus, version: number): void {
  w.u8(REASONS.indexOf(m.reason)).zeros(7)
  writePortDescription(w, m.port, version)
}

export function readPortMod(r: Reader, xid: number, version: number): PortMod {
  if (version === 1) {
    const port = r.u16()
    const mac = r.u48()
    const config = r.u32()
    const mask = r.u32()
    return { type: 'port_mod', xid, port, mac, config, mask, advertise: widenFeatures(r.u32()) }
  }
  const port = readPort(r)
  r.skip(4)
  const mac = r.u48()
  r.skip(2)
  const config = r.u32()
  const mask = r.u32()
  let advertise = 0
  if (version < 5) advertise = r.u32()
  else {
    while (r.left > 0) {
      const type = r.u16()
      const length = r.u16()
      if (length < 4) fault('OFPBPC_BAD_LEN')
      const body = r.sub(length - 4)
      r.skip(Math.min(r.left, (8 - (length % 8)) % 8))
      if (type !== 0) fault('OFPBPC_BAD_TYPE')
      advertise = body.u32()
    }
  }
  return { type: 'port_mod', xid, port, mac, config, mask, advertise }
}

export function writePortMod(w: Writer, m: PortMod, version: number): void {
  if (version === 1) {
    w.u16(m.port).u48(m.mac).u32(m.config).u32(m.mask).u32(narrowFeatures(m.advertise)).zeros(4)
    return
  }
  w.u32(widenPort(m.port)).zeros(4).u48(m.mac).zeros(2).u32(m.config).u32(m.mask)
  if (version < 5) w.u32(m.advertise).zeros(4)
  else if (m.advertise) w.u16(0).u16(8).u32(m.advertise)
}
