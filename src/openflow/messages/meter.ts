import type { Reader, Writer } from '../../base/bytes.ts'
import { fault } from './fault.ts'
import type { MeterBand, MeterMod } from './message.ts'

const COMMANDS = ['add', 'modify', 'delete'] as const

export function readBands(r: Reader): MeterBand[] {
  const out: MeterBand[] = []
  while (r.left > 0) {
    const type = r.u16()
    const length = r.u16()
    if (length !== 16) fault('OFPBRC_BAD_LEN')
    const rate = r.u32()
    const burst = r.u32()
    const precedence = r.u8()
    r.skip(3)
    if (type === 1) out.push({ type: 'drop', rate, burst, precedence: 0 })
    else if (type === 2) out.push({ type: 'dscp_remark', rate, burst, precedence })
    else fault('OFPMMFC_BAD_BAND')
  }
  return out
}

export function writeBands(w: Writer, bands: readonly MeterBand[]): void {
  for (const b of bands) {
    w.u16(b.type === 'drop' ? 1 : 2)
      .u16(16)
      .u32(b.rate)
      .u32(b.burst)
    w.u8(b.type === 'drop' ? 0 : b.precedence).zeros(3)
  }
}

export function readMeterMod(r: Reader, xid: number): MeterMod {
  const command = COMMANDS[r.u16()] ?? fault('OFPMMFC_BAD_COMMAND')
  const flags = r.u16()
  const meter = r.u32()
  return { type: 'meter_mod', xid, command, flags, meter, bands: readBands(r) }
}

export function writeMeterMod(w: Writer, m: MeterMod): void {
  w.u16(COMMANDS.indexOf(m.command)).u16(m.flags).u32(m.meter)
  writeBands(w, m.bands)
}
