import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Log4cplusBackend } from '../../src/logging/log4cplus/backend.ts'
import { parseLog4cplus } from '../../src/logging/log4cplus/config.ts'
import { type Case, CORPUS, events, HOST, PID, START } from '../../src/logging/log4cplus/corpus.ts'
import { type Outcome, ours, prepare } from '../../src/logging/log4cplus/corpus-run.ts'
import { syslogMessage } from '../../src/logging/log4cplus/syslog.ts'
import { buildDriver, logged, theirs } from './log4cplus.ts'

// UPDATE_GOLDENS=1 writes anew what machines without the library compare with.
const golden = join(import.meta.dirname, '../../src/logging/log4cplus/corpus.expected.json')

const root = mkdtempSync(join(tmpdir(), 'log4cplus-'))
afterAll(() => rmSync(root, { recursive: true }))

const driver = buildDriver(root)
if (!driver) console.warn('skipped: g++ or liblog4cplus-dev is not installed')

const cases = Object.entries(CORPUS).map(([name, c], i) => ({
  ...{ name, i, given: typeof c === 'string' ? { text: c } : (c as Case) },
}))

describe.skipIf(!driver)('the same bytes as log4cplus', () => {
  it('has 40 configurations and more', () => expect(cases.length).toBeGreaterThanOrEqual(40))

  const recorded: Record<string, Outcome> = {}
  describe.each(['UTC', 'Asia/Kolkata', 'America/New_York'])('%s', (zone) => {
    it.each(cases)('$name', ({ name, i, given }) => {
      const dir = (side: string) => join(root, `${zone.replace('/', '-')}-${i}-${side}`)
      const { complaints, ...expected } = theirs(driver ?? '', given, dir('a'), events(given), zone)
      if (zone === 'UTC') recorded[name] = expected
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const { warnings, ...got } = ours(given, dir('b'), events(given))
        expect(got).toEqual(expected)
        // Where log4cplus complains, so do we, and nowhere else.
        expect(warnings.length > 0, [...warnings, ...complaints].join('\n')).toBe(complaints.length > 0)
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    })
  })

  it('is what the recorded bytes are', () => {
    if (process.env['UPDATE_GOLDENS']) writeFileSync(golden, `${JSON.stringify(recorded, undefined, 1)}\n`)
    expect(recorded).toEqual(JSON.parse(readFileSync(golden, 'utf8')))
  })
})

describe.skipIf(!driver)('the same syslog as log4cplus', () => {
  const properties = (...lines: readonly string[]): Case => ({
    text: [
      'log4cplus.rootLogger=DEBUG, A',
      'log4cplus.appender.A=log4cplus::SysLogAppender',
      'log4cplus.appender.A.layout=log4cplus::PatternLayout',
      'log4cplus.appender.A.layout.ConversionPattern=%p %x %m%n',
      ...lines.map((l) => `log4cplus.appender.A.${l}`),
      '',
    ].join('\n'),
  })
  const some = events({ text: '' }).slice(0, 20)

  function backend(given: Case, dir: string): Log4cplusBackend {
    const config = parseLog4cplus(readFileSync(prepare(given, dir), 'utf8'), 'f', {
      ...{ hostname: HOST, pid: PID, environment: () => undefined, include: () => undefined },
    })
    if (!config.ok) throw new Error(config.error)
    return new Log4cplusBackend(config.value, {
      ...{ component: 'ovn-northd', hostname: HOST, pid: PID, now: () => START, resolve: (p) => p, onTrouble() {} },
    })
  }

  const until = async (done: () => boolean) => {
    for (let i = 0; i < 200 && !done(); i++) await new Promise((r) => setTimeout(r, 10))
  }

  it.each([['ident=ovn'], ['ident=ovn', 'facility=local3'], ['facility=AUTHPRIV', 'udp=1'], ['facility=nope']])(
    'UDP: %s %s',
    async (...lines) => {
      const server = createSocket('udp4')
      await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
      const got: string[] = []
      server.on('message', (m) => got.push(m.toString()))
      const given = properties('host=127.0.0.1', `port=${server.address().port}`, ...lines)
      await logged(driver ?? '', given, join(root, `udp-${lines}-a`), some)
      await until(() => got.length >= some.length)
      const expected = got.splice(0)
      const ours = backend(given, join(root, `udp-${lines}-b`))
      for (const e of some) ours.write(e)
      await until(() => got.length >= some.length)
      ours.close()
      server.close()
      expect(expected).toHaveLength(some.length)
      expect(got).toEqual(expected)
    },
  )

  it('TCP', async () => {
    let got = ''
    const server = createServer((s) => s.on('data', (d) => (got += d)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const given = properties('host=127.0.0.1', `port=${port}`, 'udp=false', 'ident=ovn')
    await logged(driver ?? '', given, join(root, 'tcp-a'), some)
    const expected = got
    got = ''
    const ours = backend(given, join(root, 'tcp-b'))
    for (const e of some) ours.write(e)
    await until(() => got.length >= expected.length)
    ours.close()
    server.close()
    expect(expected.match(/ovn-/g)?.length).toBeGreaterThanOrEqual(15)
    expect(got).toBe(expected)
  })

  const remote = (kind: string, port: number, ...more: string[]): Case => ({
    text: [
      'log4cplus.rootLogger=DEBUG, A',
      `log4cplus.appender.A=log4cplus::${kind}`,
      'log4cplus.appender.A.host=127.0.0.1',
    ]
      .concat([`port=${port}`, ...more].map((l) => `log4cplus.appender.A.${l}`))
      .join('\n'),
  })

  it.each([
    [],
    ['layout=log4cplus::PatternLayout', 'layout.ConversionPattern=%p <%m> & "%c" \'%x\'%n'],
    ['Threshold=WARN', 'layout=log4cplus::TTCCLayout'],
  ])('Log4jUdpAppender: %s', async (...lines) => {
    const server = createSocket('udp4')
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
    const got: string[] = []
    server.on('message', (m) => got.push(m.toString()))
    const given = remote('Log4jUdpAppender', server.address().port, ...lines)
    await logged(driver ?? '', given, join(root, `xml-${lines.length}-a`), some)
    // A datagram more, behind those that may still be on their way.
    server.send('end', server.address().port, '127.0.0.1')
    await until(() => got.includes('end'))
    const expected = got.splice(0)
    const ours = backend(given, join(root, `xml-${lines.length}-b`))
    for (const e of some) ours.write(e)
    await until(() => got.length >= expected.length - 1)
    ours.close()
    server.close()
    expect(expected.length).toBeGreaterThan(5)
    expect([...got, 'end']).toEqual(expected)
  })

  it.each([[], ['ServerName=hv1 "é"']])('SocketAppender: %s', async (...lines) => {
    const got: Buffer[] = []
    const server = createServer((s) => s.on('data', (d) => got.push(d)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const given = remote('SocketAppender', (server.address() as AddressInfo).port, ...lines)
    const whole = () => Buffer.concat(got)
    // The library connects in a thread of its own; what is logged before is lost.
    await logged(driver ?? '', given, join(root, `socket-${lines.length}-a`), some)
    await until(() => whole().includes(`${some.at(-1)?.message}`))
    const expected = whole()
    got.length = 0
    const ours = backend(given, join(root, `socket-${lines.length}-b`))
    for (const e of some) ours.write(e)
    await until(() => whole().length >= expected.length)
    ours.close()
    server.close()
    expect(expected.length).toBeGreaterThan(500)
    expect(whole().toString('latin1')).toBe(expected.toString('latin1'))
  })

  // The driver says what it would give to syslog(3), which puts the time and the name in front.
  it.each([['ident=ovn'], ['ident=ovn', 'facility=daemon'], []])('this machine’s daemon: %s %s', async (...lines) => {
    const given = properties(...lines)
    const said = await logged(driver ?? '', given, join(root, `local-${lines}-a`), some)
    const config = parseLog4cplus(given.text, 'f', {
      ...{ hostname: HOST, pid: PID, environment: () => undefined, include: () => undefined },
    })
    const [a] = config.ok ? config.value.appenders : []
    if (a?.what.kind !== 'syslog') throw new Error('no appender')
    const message = syslogMessage({ component: 'ovn-northd', hostname: HOST, pid: PID, remote: 'unix', ...a.what })
    const ident = a.what.ident
    const got = some.map((e) => {
      const m = /^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (.*?): ([\s\S]*)$/.exec(
        Buffer.from(message(a.layout(e), e)).toString(),
      )
      expect(m?.[2]).toBe(ident || 'ovn-northd')
      return `syslog ${m?.[1]} ${m?.[3]}\n`
    })
    expect(got.join('')).toBe(said.replace(/^openlog .*\n/, ''))
    expect(said).toMatch(ident ? /^openlog ovn / : /^openlog \(null\) /)
  })
})
