import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask as control } from './daemon-lab.ts'
import { Lab, type Maker, sleep } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// The same bad messages to the real server and to ours: what each logs of them, and what it leaves out.

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server'))
afterAll(() => lab.close())

async function flooded(maker: Maker): Promise<string[]> {
  const at = lab.at(`limits.${maker}`)
  await lab.run('26.03', 'ovsdb-tool', 'create', `${at}.db`, referenceSchema('vswitch'))
  const server = await lab.start(maker, 'ovsdb-server', `${at}.db`, `--remote=punix:${at}`)
  const bad = () =>
    new Promise<void>((resolve) => {
      const stream = connect(at)
      stream.on('error', () => {})
      stream.on('close', () => resolve())
      stream.resume()
      stream.write('{"bogus":1}')
    })
  const flood = async (n: number) => {
    for (let i = 0; i < n; i++) await bad()
  }
  await flood(20)
  const answers: string[] = []
  // Not by a program that first has to start: all of it shall be over before one message more is allowed.
  const ask = async (method: string, ...params: string[]) => {
    const { code, stdout, stderr } = await control(server.control, method, params)
    answers.push(`${method} ${params.join(' ')}: ${code} ${stdout}${stderr}`)
  }
  await ask('vlog/disable-rate-limit', 'jsonrpc')
  await flood(7)
  await ask('vlog/enable-rate-limit', 'JSONRPC')
  await flood(3)
  await ask('vlog/disable-rate-limit', 'nonsense')
  await ask('vlog/disable-rate-limit', 'jsonrpc', 'nonsense')
  await ask('vlog/enable-rate-limit', 'any')
  // One message more is allowed after twelve seconds.
  await sleep(12_300)
  await flood(4)
  await ask('vlog/disable-rate-limit')
  await flood(2)
  // Ours writes in another thread: all of it is there at its end.
  await server.end()
  const lines = server.log().split('\n')
  const said = lines.filter((l) => /\|(jsonrpc|reconnect)\|/.test(l)).map((l) => l.replace(/^[^|]*\|\d+\|/, ''))
  // Connections that control programs make have numbers, too.
  return [...said.map((l) => l.replace(/unix#\d+/, 'unix#N')), ...answers]
}

test('ours leaves out as many messages as the real one, and says so in the same words', async () => {
  const [real, ours] = await Promise.all([flooded('26.03'), flooded('ours')])
  const seconds = (lines: readonly string[]) => lines.map((l) => l.replace(/\d+ seconds/g, 'S seconds'))
  expect(seconds(ours)).toEqual(seconds(real))
  const dropped = ours.filter((l) => l.includes('Dropped'))
  expect(dropped).toHaveLength(1)
  expect(dropped[0]).toMatch(
    /^jsonrpc\|WARN\|Dropped 18 log messages in last 1\d seconds \(most recently, 1\d seconds ago\) due to excessive rate$/,
  )
})
