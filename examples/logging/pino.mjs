// A logger of one's own: pino writes the lines, with all that its transports and formats can do.
//
//   [DEFAULT]
//   logger_class = ./pino.mjs#PinoLogger
//   [PinoLogger]
//   file = /var/log/ovn/ovn-northd.json
//   level = info
//
// Without a file, lines go to standard output. `vlog/reopen` opens the file again after a rotation.
import { BaseLogger } from 'ovn-ts/logging'
import { destination, pino } from 'pino'

const METHODS = { emer: 'fatal', err: 'error', warn: 'warn', info: 'info', dbg: 'debug' }

export class PinoLogger extends BaseLogger {
  #destination
  #pino
  #ready = false

  constructor(context) {
    super(context)
    const { options, component, hostname, pid } = context
    const dest = options.file ? context.resolve(options.file) : 1
    this.#destination = destination({ dest, sync: false, mkdir: true })
    this.#destination.on('ready', () => {
      this.#ready = true
    })
    this.#destination.on('error', (error) => context.report(`cannot write log: ${error.message}`))
    // The time is the event's.
    this.#pino = pino({ level: 'debug', base: { pid, hostname, component }, timestamp: false }, this.#destination)
  }

  write({ time, level, logger, message, fields }) {
    this.#pino[METHODS[level]]({ time, logger, ...fields }, message)
  }

  flush() {
    if (this.#ready) this.#destination.flushSync()
  }

  reopen() {
    if (this.#ready) this.#destination.reopen()
  }

  close() {
    this.flush()
    this.#destination.end()
  }
}
