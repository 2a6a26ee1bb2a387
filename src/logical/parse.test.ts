import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expandTemplates, formatActions, lowerActions, lowerMatch, parseActions, parseMatch } from './index.ts'

const at = { pipeline: 'ingress', table: 5 } as const

// Words of the language, so that random texts get past the first token.
const words =
  'ip4 ip6.dst tcp.src reg0 xxreg1 eth.dst inport outport flags.loopback ct.new ct_mark == != < <= > >= && || ! ( ) { } [ ] .. , ; = <-> -- : / 0 1 5 0xff 10.0.0.1 10.0.0.0/8 fd00::1 aa:bb:cc:dd:ee:ff "vm1" $as4 @pg1 ^t next output drop clone arp icmp4 reject ct_commit ct_next ct_lb_mark backends ct_snat put_dhcp_opts offerip select log verdict allow get_arp put_arp lookup_arp is_chassis_resident ip.ttl push pop set_queue set_meter check_pkt_larger fwd_group childports trigger_event event commit_lb_aff vip sample probability mirror next(pipeline=egress,table=3)'.split(
    ' ',
  )
const gibberish = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((w) => w.join(' ')),
  fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((w) => w.join('')),
)

const context = {
  pipeline: 'ingress',
  table: 5,
  router: false,
  datapathKey: 1,
  cookie: 0x12345678,
  lookupPort: () => 1,
  isChassisResident: () => true,
  group: () => 1,
  meter: () => 1,
} as const

test('no text makes the parsers throw, and what parses can be lowered', () => {
  fc.assert(
    fc.property(gibberish, (text) => {
      const m = parseMatch(text)
      if (!m.ok) expect(typeof m.error).toBe('string')
      const a = parseActions(text, at)
      if (a.ok) lowerActions(a.value.actions, context)
      expandTemplates(text, (name) => `(${name})`)
    }),
    { numRuns: 4000 },
  )
})

test('a valid text with a piece cut out or doubled never throws', () => {
  const path = fileURLToPath(new URL('../../tests/peers/logical-flows.txt', import.meta.url))
  const lines = readFileSync(path, 'utf8').split('\n')
  fc.assert(
    fc.property(fc.constantFrom(...lines), fc.nat(200), fc.nat(10), fc.boolean(), (line, from, count, twice) => {
      const cut =
        line.slice(0, from) + (twice ? line.slice(from, from + count).repeat(2) : '') + line.slice(from + count)
      const [match = '', actions = ''] = cut.split(' | ')
      parseMatch(match)
      parseActions(actions, at)
    }),
    { numRuns: 4000 },
  )
})

test('actions printed and parsed again are the same actions', () => {
  const path = fileURLToPath(new URL('../../tests/peers/logical-flows.txt', import.meta.url))
  let count = 0
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const actions = parseActions(line.split(' | ')[1] ?? '', at)
    if (!actions.ok || line.startsWith('#')) continue
    const text = formatActions(actions.value.actions, at)
    const again = parseActions(text, at)
    if (!again.ok) throw new Error(`${text}: ${again.error}`)
    expect(again.value.actions).toEqual(actions.value.actions)
    count++
  }
  expect(count).toBeGreaterThan(250)
})

test('templates are put in where they have a value', () => {
  const value = (name: string) => ({ vip: '10.0.0.1', port: '80' })[name]
  expect(expandTemplates('ip4.dst == ^vip && tcp.dst == ^port && "^vip" == inport', value)).toBe(
    'ip4.dst == 10.0.0.1 && tcp.dst == 80 && "^vip" == inport',
  )
  expect(expandTemplates('ip4.dst == ^other', value)).toBe('ip4.dst == ^other')
})

test('a huge product of alternatives is refused, not computed', () => {
  const text = Array.from({ length: 32 }, (_, i) => `(reg0[${i}] || pkt.mark[${i}] || reg5[${i}])`).join(' && ')
  const m = parseMatch(text)
  if (!m.ok) throw new Error(m.error)
  const lowered = lowerMatch(m.value.expression, undefined, context)
  expect(lowered.flows).toEqual([])
  expect(lowered.error).toBe('Expression expands to too many flows.')
})

test('with connection tracking translation, ports are those of the connection', () => {
  const m = parseMatch('ip4 && tcp.dst == 80', undefined, { ctTranslation: true })
  if (!m.ok) throw new Error(m.error)
  const [flow] = lowerMatch(m.value.expression, undefined, context).flows
  expect(flow?.match.map((f) => `${f.field.name}=${f.value}/${f.mask}`)).toEqual([
    'eth_type=2048/65535',
    'ct_state=32/48',
    'ct_nw_proto=6/255',
    'ct_tp_dst=80/65535',
  ])
})
