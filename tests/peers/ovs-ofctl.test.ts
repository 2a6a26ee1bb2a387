import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { type Action, OFPP } from '../../src/openflow/actions/action.ts'
import { arbitraryActions } from '../../src/openflow/actions/arbitrary.test-data.ts'
import { arbitraryMatch } from '../../src/openflow/fields/arbitrary.test-data.ts'
import { exact } from '../../src/openflow/fields/match.ts'
import { F } from '../../src/openflow/fields/table.ts'
import { decodeMessage, encodeMessage } from '../../src/openflow/messages/codec.ts'
import { type FlowMod, GROUP_ANY, NO_BUFFER } from '../../src/openflow/messages/message.ts'
import { formatFlowMod, parseFlow } from '../../src/openflow/text/flow.ts'
import { referenceBin } from './reference.ts'

// Random flows through the real ovs-ofctl: what it makes of our texts and of our bytes.

const ofctl = join(referenceBin(), 'ovs-ofctl')
const directory = mkdtempSync(join(tmpdir(), 'ofctl-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const VERSIONS = [
  [1, 'OpenFlow10', /^.*?FLOW_MOD \(xid=0x1\): ADD /],
  [4, 'OpenFlow13', /^.*?FLOW_MOD \(OF1.3\) \(xid=0x1\): ADD /],
  [6, 'OpenFlow15', /^.*?FLOW_MOD \(OF1.5\) \(xid=0x1\): ADD /],
] as const

function flowMod(match: FlowMod['match'], actions: FlowMod['actions']): FlowMod {
  return {
    ...{ type: 'flow_mod', xid: 1, command: 'add', match, actions, priority: 100, table: 0 },
    ...{ cookie: 0n, cookieMask: 0n, idleTimeout: 0, hardTimeout: 0, importance: 0, flags: 0 },
    ...{ bufferId: NO_BUFFER, outPort: OFPP.NONE, outGroup: GROUP_ANY },
  }
}

function run(args: readonly string[]): string {
  return execFileSync(ofctl, args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] })
}

function printed(output: string, prefix: RegExp): string[] {
  return output
    .split('\n')
    .filter((l) => prefix.test(l))
    .map((l) => l.replace(prefix, ''))
}

/** Connection tracking needs an IP packet, and translation to IPv4 one of IPv4. */
const tracks = (actions: readonly Action[]): boolean =>
  actions.some((a) => a.type === 'ct' || (a.type === 'clone' && tracks(a.actions)))

/** ovs-ofctl forgets the mask of such an action in OpenFlow 1.0. */
const setsPartOfMac = (actions: readonly Action[]): boolean =>
  actions.some(
    (a) =>
      (a.type === 'set_field' && a.field.format === 'ethernet' && a.mask !== a.field.ones) ||
      (a.type === 'clone' && setsPartOfMac(a.actions)),
  )

const flows = fc
  .sample(fc.tuple(arbitraryMatch, arbitraryActions), { numRuns: 600, seed: 42 })
  .filter(([match, actions]) => !tracks(actions) || exact(match, F.eth_type) === 0x0800n)

describe.each(VERSIONS)('OpenFlow version %i', (version, protocol, prefix) => {
  test('the real ovs-ofctl reads our bytes as we read them', () => {
    const file = join(directory, `bytes-${version}`)
    const messages = flows.map(([match, actions]) => encodeMessage(flowMod(match, actions), version))
    writeFileSync(file, Buffer.concat(messages))
    const real = printed(run(['ofp-parse', file]), prefix)
    const ours = messages.map((bytes) => {
      const d = decodeMessage(bytes)
      return d.ok && d.value.message.type === 'flow_mod' ? formatFlowMod(d.value.message) : toHex(bytes)
    })
    expect(real).toEqual(ours)
  })

  test('the real ovs-ofctl reads our texts, and prints them as we do', () => {
    const file = join(directory, `texts-${version}`)
    // ovs-ofctl takes an IPv6 mask that begins with a digit for a prefix length.
    const readable = flows
      .filter(([match]) => match.every((m) => m.field.format !== 'ipv6' || m.mask === m.field.ones))
      .filter(([, actions]) => version !== 1 || !setsPartOfMac(actions))
    const texts = readable.map(([match, actions]) => formatFlowMod(flowMod(match, actions)))
    writeFileSync(file, `${texts.join('\n')}\n`)
    const real = printed(run(['-O', protocol, 'parse-flows', file]), /^.*?FLOW_MOD .*?: ADD /)
    const ours = texts.map((text) => {
      const flow = parseFlow(text)
      if (!flow.ok) return flow.error
      const d = decodeMessage(encodeMessage(flow.value, version))
      return d.ok && d.value.message.type === 'flow_mod' ? formatFlowMod(d.value.message) : text
    })
    expect(real).toEqual(ours)
  })
})
