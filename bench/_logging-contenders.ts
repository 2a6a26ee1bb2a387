// Loggers of several products behind one interface, as the benchmark of logging has them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import log4js from 'log4js'
import { pino } from 'pino'
import roll from 'pino-roll'
import { SystemClock } from '../src/io/clock.ts'
import { Logging, loadLogging } from '../src/logging/index.ts'

/** A logger of one product, and how to wait until all it took is in the file. */
export interface Contender {
  info(message: string): void
  end(): Promise<void>
  dbg?: { readonly text: () => void; readonly fn?: () => void }
}

/** A clock that is `times` as fast as the system's, for files that roll by the minute. */
class FastClock extends SystemClock {
  private readonly start = Date.now()

  constructor(private readonly times: number) {
    super()
  }

  override now(): number {
    return this.start + (super.now() - this.start) * this.times
  }
}

/** Ours, by a file whose section [DEFAULT] has these lines; `$DIR` is the folder of the run. */
async function ours(dir: string, lines: string, conf = '', times = 1): Promise<Contender> {
  const [config, other] = [join(dir, 'logging.conf'), join(dir, 'other.conf')]
  writeFileSync(other, conf.replaceAll('$DIR', dir))
  writeFileSync(config, `[DEFAULT]\n${lines.replaceAll('$DIR', dir)}\n`)
  const clock = new FastClock(times)
  const loaded = await loadLogging(config, {
    ...{ component: 'ovn-northd', hostname: 'host', pid: process.pid },
    now: () => clock.now(),
    resolve: (path) => path,
    onTrouble: (message) => console.error(message),
  })
  if (!loaded.ok) throw new Error(loaded.error)
  for (const warning of loaded.value.warnings) throw new Error(warning)
  const logging = new Logging('ovn-northd', clock, [loaded.value.backend])
  const log = logging.log('lflow')
  return {
    info: (message) => log.info(message),
    end: async () => logging.close(),
    dbg: { text: () => log.dbg('text'), fn: () => log.dbg(() => 'text') },
  }
}

function pinoTo(destination: ReturnType<typeof pino.destination>): Contender {
  const log = pino({ base: { pid: process.pid, name: 'ovn-northd', module: 'lflow' } }, destination)
  const end = () =>
    new Promise<void>((resolve) => {
      destination.once('close', () => resolve())
      destination.end()
    })
  return { info: (message) => log.info(message), end, dbg: { text: () => log.debug('text') } }
}

/** Ours to a syslog server in another process. */
async function syslog(dir: string, kind: 'unix' | 'udp' | 'tcp'): Promise<Contender> {
  const self = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, [self, '--sink', kind, join(dir, 'socket')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [address] = (await once(child.stdout, 'data')) as [Buffer]
  const where = `syslog_address = ${address.toString().trim()}`
  const contender = await ours(dir, `log_local = false\nuse_syslog = true\n${where}`)
  return {
    info: contender.info,
    end: async () => {
      await contender.end()
      child.kill('SIGKILL')
    },
  }
}

const SIZE = 10
const KEPT = 50
const BY_SIZE = `log_file = $DIR/a.log\nlog_file_size = ${SIZE}M\nlog_files_count = ${KEPT}`
const PYTHON = 'logger_class = ConfigLogger\nlogging_conf = $DIR/other.conf'
const OSLO = 'logger_class = OsloLogger\nlogging_conf = $DIR/other.conf'
const LOG4CPLUS = 'log_property_file = $DIR/other.conf'
/** log4cplus rolls by the minute at most: its clock runs this much faster. */
const FASTER = 30

const python = (handler: string) => `[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = simple
[logger_root]
level = INFO
handlers = file
[handler_file]
class = handlers.${handler}
formatter = simple
[formatter_simple]
format = %(asctime)s %(process)d %(levelname)s %(name)s %(message)s
`

const oslo = (rotation: string) =>
  `[DEFAULT]\nlog_file = $DIR/a.log\nmax_logfile_count = ${KEPT}\nlog_rotation_type = ${rotation}\n`

const log4cplus = (appender: string) => `log4cplus.rootLogger = INFO, file
log4cplus.appender.file = log4cplus::${appender}
log4cplus.appender.file.layout = log4cplus::PatternLayout
log4cplus.appender.file.layout.ConversionPattern = %D{%Y-%m-%d %H:%M:%S.%q} %-5p %c - %m%n
`

/** By name, what makes one that writes to files in a folder. */
export const CONTENDERS: Readonly<Record<string, (dir: string) => Promise<Contender>>> = {
  'ours, text': (dir) => ours(dir, 'log_file = $DIR/a.log\nlog_file_size = 0'),
  'ours, text, rolling': (dir) => ours(dir, BY_SIZE),
  'ours, JSON, rolling': (dir) => ours(dir, `${BY_SIZE}\nlog_format = json`),
  'ours, syslog, unix socket': (dir) => syslog(dir, 'unix'),
  'ours, syslog, UDP': (dir) => syslog(dir, 'udp'),
  'ours, syslog, TCP': (dir) => syslog(dir, 'tcp'),
  'ours, python, by size': (dir) =>
    ours(dir, PYTHON, python(`RotatingFileHandler\nargs = ('$DIR/a.log', 'a', ${SIZE * 1024 * 1024}, ${KEPT})`)),
  'ours, python, each second': (dir) =>
    ours(dir, PYTHON, python(`TimedRotatingFileHandler\nargs = ('$DIR/a.log', 'S', 1, ${KEPT})`)),
  'ours, oslo, by size': (dir) => ours(dir, OSLO, oslo(`size\nmax_logfile_size_mb = ${SIZE}`)),
  'ours, oslo, each second': (dir) =>
    ours(dir, OSLO, oslo('interval\nlog_rotate_interval = 1\nlog_rotate_interval_type = seconds')),
  'ours, log4cplus, by size': (dir) => {
    const more = ['File = $DIR/a.log', `MaxFileSize = ${SIZE}MB`, `MaxBackupIndex = ${KEPT}`]
    return ours(dir, LOG4CPLUS, log4cplus(['RollingFileAppender', ...more].join('\nlog4cplus.appender.file.')))
  },
  'ours, log4cplus, by time': (dir) => {
    const more = ['File = $DIR/a.log', 'FilenamePattern = $DIR/a.%d{yyyy-MM-dd-HH-mm}.log', `MaxHistory = ${KEPT}`]
    return ours(
      dir,
      LOG4CPLUS,
      log4cplus(['TimeBasedRollingFileAppender', ...more].join('\nlog4cplus.appender.file.')),
      FASTER,
    )
  },
  'pino, sync': async (dir) => pinoTo(pino.destination({ dest: join(dir, 'a.log'), sync: true })),
  'pino, async, 4 KiB': async (dir) =>
    pinoTo(pino.destination({ dest: join(dir, 'a.log'), sync: false, minLength: 4096 })),
  'pino-roll, sync': async (dir) => {
    const options = { file: join(dir, 'a.log'), size: `${SIZE}m`, limit: { count: KEPT }, sync: true }
    return pinoTo((await roll(options)) as ReturnType<typeof pino.destination>)
  },
  'pino-roll': async (dir) => {
    const options = { file: join(dir, 'a.log'), size: `${SIZE}m`, limit: { count: KEPT } }
    return pinoTo((await roll(options)) as ReturnType<typeof pino.destination>)
  },
  'log4js, rolling': async (dir) => {
    log4js.configure({
      appenders: {
        file: {
          ...{ type: 'file', filename: join(dir, 'a.log'), maxLogSize: SIZE * 1024 * 1024, backups: KEPT },
          layout: { type: 'pattern', pattern: '%d{yyyy-MM-ddThh:mm:ss.SSSZ}|%c|%p|%m' },
        },
      },
      categories: { default: { appenders: ['file'], level: 'info' } },
    })
    const log = log4js.getLogger('ovn-northd.lflow')
    const end = () => new Promise<void>((resolve) => log4js.shutdown(() => resolve()))
    return { info: (message) => log.info(message), end, dbg: { text: () => log.debug('text') } }
  },
}
