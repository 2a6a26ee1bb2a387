import { readFileSync } from 'node:fs'
import { CtlError, fatal } from '../ctl/error.ts'
import { readOptions } from '../ctl/grammar.ts'
import { flag, SSL_OPTIONS, withValue } from '../ctl/options.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { isArray, type Json } from '../jsonrpc/json.ts'
import { JsonError, parseJson } from '../jsonrpc/parser.ts'
import { RpcClient } from '../ovsdb/client/rpc.ts'
import { readError } from '../ovsdb/client/wire-operation.ts'
import { describeError, parseSchema } from '../ovsdb/schema/index.ts'
import { schemaModule } from '../ovsdb/schema/typescript.ts'
import { dialer } from './_dial.ts'

const OPTIONS = [...SSL_OPTIONS, flag('help', 'h'), withValue('import'), withValue('timeout', 't')]

const HELP = `usage: ovn ovsdb-types [OPTION ...] SERVER [DATABASE] > FILE.ts
       ovn ovsdb-types [OPTION ...] SCHEMA.ovsschema > FILE.ts

Writes a TypeScript module with the schema of a database and the types of its
rows, for connect() of 'ovn-ts/ovsdb'. The schema is asked from a server
(unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT) or read from a file. A server with
one database need not be told which.

Options:
  --import=MODULE          what the module imports the library from
                           (default: ovn-ts/ovsdb)
  -t, --timeout=SECS       give up after SECS seconds (default: 10)
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE
                           keys and certificates for ssl:
  -h, --help               this text
`

function leave(message: string): void {
  process.stderr.write(`ovsdb-types: ${message}\n`, () => process.exit(1))
}

/** Prints the module of a schema. */
function print(json: Json, source: string, library: string | undefined): void {
  const schema = parseSchema(json)
  if (!schema.ok) leave(`${source}: ${describeError(schema.error)}`)
  else process.stdout.write(schemaModule(schema.value, library), () => process.exit(0))
}

function fromFile(path: string, library: string | undefined): void {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (e) {
    leave(`${path}: ${errorText(e)}`)
    return
  }
  try {
    print(parseJson(text), path, library)
  } catch (e) {
    if (!(e instanceof JsonError)) throw e
    leave(`${path}: ${e.message}`)
  }
}

function fromServer(remote: string, wanted: string | undefined, options: ReadonlyMap<string, string>): void {
  const clock = new SystemClock()
  const seconds = Number(options.get('timeout') ?? 10)
  if (!(seconds > 0)) fatal('--timeout takes a number of seconds')
  clock.after(seconds * 1000, () => leave(`${remote}: no answer within ${seconds} seconds`))
  dialer(options)(remote, (result) => {
    if (!result.ok) {
      leave(`${remote}: ${result.error}`)
      return
    }
    const rpc = new RpcClient(result.value, () => clock.monotonic())
    rpc.onEnd = (reason) => leave(`${remote}: ${reason}`)
    const ask = (database: string) =>
      rpc.request('get_schema', [database], (reply) => {
        if (reply.error !== null) leave(`${remote}: ${describeError(readError(reply.error))}`)
        else print(reply.result, remote, options.get('import'))
      })
    if (wanted !== undefined) {
      ask(wanted)
      return
    }
    rpc.request('list_dbs', [], (reply) => {
      const names = (isArray(reply.result) ? reply.result : []).map(String).filter((n) => !n.startsWith('_'))
      const [only] = names
      if (only !== undefined && names.length === 1) ask(only)
      else leave(`${remote} has the databases ${names.sort().join(', ')}: say which`)
    })
  })
}

try {
  const { globals: options, rest } = readOptions(OPTIONS, process.argv.slice(2))
  const [source, database] = rest
  if (options.has('help')) process.stdout.write(HELP)
  else if (source === undefined || rest.length > 2) fatal('a server or a schema file is needed; see --help')
  else if (/^(unix|tcp|ssl):/.test(source)) fromServer(source, database, options)
  else if (database !== undefined) fatal(`${source} is no server: unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT`)
  else fromFile(source, options.get('import'))
} catch (e) {
  if (!(e instanceof CtlError)) throw e
  leave(e.message)
}
