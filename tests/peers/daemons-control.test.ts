import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonLab, realDaemons, type Side } from './daemon-lab.ts'

// What comes to a control socket that no ovs-appctl sends: the same answers, the same ends and the same warnings.

/** Bytes, and whether the sender closes its direction behind them. */
const SENT: readonly string[] = [
  'GET / HTTP/1.0\r\n\r\n',
  '\0\0\0',
  '{"id":1,"method":"ver',
  '[1,2]',
  '{"id":1,"method":"version"}',
  '{"id":1,"method":"version","params":{}}',
  '{"id":1,"method":"version","params":[1]}',
  '{"id":1,"method":"vlog/set","params":[1,null,{"a":[]}]}',
  '{"id":1,"method":5,"params":[]}',
  '{"method":"version","params":[]}',
  '{"id":null,"method":"version","params":[]}',
  '{"id":{"a":1},"method":"version","params":[]}',
  '{"id":[1,"x"],"method":"version","params":[]}',
  '{"id":1,"result":"x","error":null}',
  '{"id":1,"result":null,"error":"x"}',
  '{"id":1,"method":"version","params":[],"x":1}',
  '{"id":1,"method":"version","params":[]}{"id":2,"method":"nope","params":[]}',
  '{"id":1,"method":"version","params":[]} \n {"id":2,"method":"version","params":[]}x',
  `{"id":1,"method":"version","params":${'['.repeat(2000)}${']'.repeat(2000)}}`,
  '{"id":1,"method":"\\ud800","params":[]}',
  '{"id":1,"method":"a\\u0000b","params":[]}',
  '{"id":1,"method":"a\\"b","params":[]}',
  '{"id":1,"method":"é\\u2028","params":[]}',
  '{"id":123456789012345678901234567890,"method":"version","params":[]}',
  '{"id":1.50,"method":"version","params":[]}',
  '{"id":"","method":"version","params":["x","y"]}',
  '{"id":1,"method":"","params":[]}',
  '{"id":1,"method":"set-options","params":["--format","json"]}{"id":2,"method":"version","params":[]}',
]

/** What comes back until the daemon ends the connection, for which it has ten seconds. */
function talk(path: string, bytes: string): Promise<string> {
  return new Promise((done) => {
    const socket = connect(path)
    let text = ''
    socket.setTimeout(10_000, () => {
      text += '<no end>'
      socket.destroy()
    })
    socket.on('data', (more) => {
      text += more.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => done(text))
    socket.end(bytes)
  })
}

const run = realDaemons() ? describe : describe.skip
run('bytes at the control socket', () => {
  let lab: DaemonLab
  beforeAll(async () => {
    lab = await DaemonLab.make()
  }, 60_000)
  afterAll(() => lab.close())

  test('are answered, refused and warned of as by the real ovn-northd', async () => {
    const conversation = async (side: Side) => {
      const nowhere = ['nb', 'sb'].map((db) => `--ovn${db}db=unix:${side.at('none')}`)
      const log = side.at('hostile.log')
      await side.run('ovn-northd', ['--detach', '--pidfile', `--log-file=${log}`, ...nowhere])
      const control = side.control('ovn-northd')
      // The real one limits its warnings of one kind.
      await talk(control, '{"id":0,"method":"vlog/disable-rate-limit","params":[]}')
      const answers: string[] = []
      for (const bytes of SENT) answers.push(`${bytes.slice(0, 80)} -> ${await talk(control, bytes)}`)
      await side.end('ovn-northd.pid')
      const warnings = side
        .log('hostile.log')
        .split('\n')
        .filter((line) => /\|(jsonrpc|unixctl)\|/.test(line))
        .map((line) => line.replace(/^[^|]*\|\d+\|/, ''))
      return [...answers.map((a) => a.replace(/(northd |Library )[\d.]+/g, '$1VERSION')), ...warnings]
    }
    const [real, ours] = await Promise.all(lab.sides.map(conversation))
    expect(ours).toEqual(real)
    expect(real?.filter((line) => line.startsWith('jsonrpc|WARN|')).length).toBeGreaterThan(5)
  }, 120_000)
})
