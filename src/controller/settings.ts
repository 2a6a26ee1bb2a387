import type { Graph } from '../reactive/graph.ts'
import type { Derived, Input } from '../reactive/relation.ts'
import type { OpenVSwitchRow } from '../schema/open-vswitch.ts'
import { S } from './strata.ts'

/**
 * The chassis' settings, each under its own key so that what reads one is not run again for
 * another: the keys of Open_vSwitch external_ids (ovn-controller(8), CONFIGURATION), where
 * `KEY-CHASSIS` overrides `KEY`, and `system-id`.
 */
export type Settings = Derived<string>

/** Settings whose absence means something else than the empty text. */
const DEFAULTS: ReadonlyMap<string, string> = new Map([['ovn-bridge', 'br-int']])

/** Which name the chassis goes by: `system-id-override` file or `-n` before the database. */
export function declareSettings(graph: Graph, rows: Input<OpenVSwitchRow>, name: string | undefined): Settings {
  const settings = graph.derived<string>('settings', S.FACTS)
  graph.rule('settings', S.FACTS, rows, (row, out) => {
    for (const [key, value] of effectiveSettings(row, name)) out.emit(settings, key, value)
  })
  return settings
}

/** All settings of one Open_vSwitch row, overrides applied. */
export function effectiveSettings(row: OpenVSwitchRow, name: string | undefined): Map<string, string> {
  const ids = row.external_ids
  const chassis = name ?? ids.get('system-id')
  const out = new Map(DEFAULTS)
  const suffix = chassis === undefined ? undefined : `-${chassis}`
  for (const [key, value] of ids) if (!(suffix && key.endsWith(suffix))) out.set(key, value)
  if (suffix) {
    for (const [key, value] of ids) if (key.endsWith(suffix)) out.set(key.slice(0, -suffix.length), value)
  }
  if (chassis !== undefined) out.set('system-id', chassis)
  return out
}

/** `physnet:br-ex,other:br-2` as pairs in their order; malformed parts are left out. */
export function parseMappings(text: string | undefined): readonly (readonly [network: string, bridge: string])[] {
  const out: (readonly [string, string])[] = []
  for (const part of (text ?? '').split(',')) {
    const colon = part.indexOf(':')
    if (colon <= 0 || colon === part.length - 1) continue
    out.push([part.slice(0, colon), part.slice(colon + 1)])
  }
  return out
}

/** The text of a boolean setting: `true` in any case is true. */
export function isTrue(text: string | undefined, fallback = false): boolean {
  return text === undefined ? fallback : text.toLowerCase() === 'true'
}
